"""The description of the API (OpenAPI 3.1), made from the routes and the structs that they use.

Request schemas are those of the specs that validate, answers those of the views that are encoded,
summaries the handlers' own first sentences: there is no second truth to keep in step.
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from msgspec.json import schema_components
from msgspec.structs import fields

from projections import bounds
from projections.specs import QueueSettings
from server.http.at import AT, LOG_POSITION, LOG_TIME, POSITION_MAX
from server.http.route import Route
from server.http.views.overall import ErrorBody
from server.settings import VERSION

_REF: Final = "#/components/schemas/{name}"
_JSON: Final = "application/json"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")

_HEADERS: Final[Mapping[str, dict[str, Any]]] = {
    "X-Request-Id": {
        "description": "The request's id: the caller's own if it sent one.",
        "schema": {"type": "string"},
    },
    "X-API-Version": {"description": "Always 1.", "schema": {"type": "string", "const": "1"}},
    "X-RateLimit-Limit": {
        "description": "Requests that may be sent at once.",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Remaining": {
        "description": "Requests that are left of them now.",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Reset": {
        "description": "When all are there again, in Unix seconds.",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Scope": {
        "description": "What they are counted for.",
        "schema": {"type": "string", "enum": ["organization", "server"]},
    },
    "X-Has-More": {
        "description": "Whether another page follows.",
        "schema": {"type": "string", "enum": ["true", "false"]},
        "required": True,
    },
    "X-Next-After": {
        "description": "Where to go on: the last position that was looked at.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-Log-Position": {
        "description": "With at: the position whose state this is.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-Log-Time": {
        "description": "With at: when the record there was written.",
        "schema": {"type": "string", "format": "date-time"},
    },
    "Retry-After": {
        "description": "Seconds to wait.",
        "schema": {"type": "integer", "minimum": 1},
        "required": True,
    },
}
_OF_THE_PAST: Final = (LOG_POSITION, LOG_TIME)
_SOMEWHERE: Final = {"X-Has-More", "X-Next-After", "Retry-After", *_OF_THE_PAST}
_EVERYWHERE: Final = [name for name in _HEADERS if name not in _SOMEWHERE]
_SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"key": []}]
_WAIT: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INSUFFICIENT_STORAGE)
_AT: Final = {
    "name": AT,
    "in": "query",
    "required": False,
    "schema": {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": POSITION_MAX},
            {"type": "string", "format": "date-time"},
        ]
    },
}
_PATH: Final[Mapping[str, dict[str, Any]]] = {
    "id": {"type": "string", "minLength": 1},
    "file": {"type": "string", "minLength": 1},
    "folder": {"type": "string", "minLength": 1},
    "name": {
        "type": "string",
        "minLength": 1,
        "maxLength": bounds.QUEUE_NAME_CHARACTERS_MAX,
        "pattern": bounds.QUEUE_NAME_PATTERN,
    },
}


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Give the whole description as a JSON document."""
    routes = list(routes)
    kinds = _kinds(routes)
    schemas, components = schema_components(kinds, ref_template=_REF)
    for kind in kinds:
        components.get(getattr(kind, "__name__", ""), {}).update(getattr(kind, "EXTRA_SCHEMA", {}))
    schema_of = dict(zip(map(_key, kinds), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, schema_of)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
        for status, answer in operation["responses"].items():
            if _makes_something(route) and int(status) in route.answers:
                answer["links"] = _links(route, routes)
    refusals = {status for route in routes for status in route.refusals}
    found = {
        "openapi": "3.1.0",
        "info": {
            "title": "Spoolog",
            "version": VERSION,
            "description": "A job queue whose log is the truth.",
        },
        "servers": [{"url": "/"}],
        "security": _SECURITY,
        "tags": [{"name": name} for name in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": components,
            "headers": _HEADERS,
            "responses": {str(s): _refusal(s, schema_of) for s in sorted(refusals)},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, or an access token (a JWT).",
                },
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "token": {"type": "apiKey", "in": "query", "name": "token"},
            },
        },
    }
    published: dict[str, Any] = _published(found)
    return published


def _kinds(routes: list[Route]) -> list[Any]:
    """Give every type that stands in a request or an answer, once."""
    found: dict[str, Any] = {_key(kind): kind for kind in (ErrorBody, QueueSettings)}
    for route in routes:
        kinds = [kind for answer in route.answers.values() for kind in _one_of(answer)]
        if route.body is not None:
            kinds.append(route.body.spec)
        found.update((_key(kind), kind) for kind in kinds)
    return list(found.values())


def _one_of(answer: Any) -> tuple[Any, ...]:
    """Give the types that an answer's JSON may have; none when there is no JSON."""
    if answer is None or isinstance(answer, str):
        return ()
    if isinstance(answer, Mapping):
        return tuple(answer.values())
    return answer if isinstance(answer, tuple) else (answer,)


def _key(kind: Any) -> str:
    return str(kind)


def _operation(route: Route, schema_of: Mapping[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "tags": [route.tag],
        "summary": route.summary,
        "parameters": [
            *_path_parameters(route),
            *_query_parameters(route),
            *([_AT] if route.past else []),
        ],
        "responses": {
            **{str(status): _answer(route, status, schema_of) for status in route.answers},
            **{str(s): {"$ref": f"#/components/responses/{s}"} for s in route.refusals},
        },
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": not route.body.empty_ok,
            "content": {_JSON: {"schema": schema_of[_key(route.body.spec)]}},
        }
    if route.open:
        operation["security"] = []
    elif route.token_in_query:
        operation["security"] = [*_SECURITY, {"token": []}]
    return operation


def _makes_something(route: Route) -> bool:
    """Whether an answer's ``id`` can be used in other paths."""
    return any(
        "id" in getattr(kind, "__struct_fields__", ()) for kind in route.answers.values()
    ) and (route.method == "POST" and not _PARAMETER.search(route.path))


def _links(route: Route, routes: Iterable[Route]) -> dict[str, Any]:
    """Tell where the id of what was made can be used."""
    return {
        other.operation: {
            "operationId": other.operation,
            "parameters": {"id": "$response.body#/id"},
        }
        for other in routes
        if other.tag == route.tag and "{id}" in other.path
    }


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _PATH[name]}
        for name in _PARAMETER.findall(route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    _, components = schema_components([route.query.spec], ref_template=_REF)
    properties = components[route.query.spec.__name__]["properties"]
    return [
        {
            "name": field.encode_name,
            "in": "query",
            "required": field.default == "",
            "schema": _without_null(properties[field.encode_name]),
        }
        for field in fields(route.query.spec)
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Give the schema of a value that, in a query string, is there or is not."""
    options = [one for one in schema.get("anyOf", [schema]) if one != {"type": "null"}]
    (only,) = options
    return {name: value for name, value in only.items() if name != "default"}


def _answer(route: Route, status: int, schema_of: Mapping[str, Any]) -> dict[str, Any]:
    kind = route.answers[status]
    further = ["X-Has-More", *route.headers] if route.paged else [*route.headers]
    further += _OF_THE_PAST if route.past else ()
    answer: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "headers": _headers(further),
    }
    if isinstance(kind, str):
        answer["content"] = {kind: {"schema": {"type": "string"}}}
    elif isinstance(kind, Mapping):
        answer["content"] = {media: {"schema": schema_of[_key(one)]} for media, one in kind.items()}
    elif kind is not None:
        options = [schema_of[_key(one)] for one in _one_of(kind)]
        schema = options[0] if len(options) == 1 else {"anyOf": options}
        answer["content"] = {_JSON: {"schema": schema}}
    return answer


def _refusal(status: int, schema_of: Mapping[str, Any]) -> dict[str, Any]:
    further = ["Retry-After"] if status in _WAIT else []
    headers = _headers(further)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:  # one of its two codes is beyond waiting
        headers["Retry-After"] = {**_HEADERS["Retry-After"], "required": False}
    return {
        "description": HTTPStatus(status).phrase,
        "headers": headers,
        "content": {_JSON: {"schema": schema_of[_key(ErrorBody)]}},
    }


def _headers(further: Iterable[str]) -> dict[str, Any]:
    names = [*_EVERYWHERE, *further]
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _published(value: Any) -> Any:
    r"""Give the document with patterns as ECMA-262 writes them: it knows no ``\Z``."""
    if isinstance(value, dict):
        return {
            name: one.replace(r"\Z", "$") if name == "pattern" else _published(one)
            for name, one in value.items()
        }
    return [_published(one) for one in value] if isinstance(value, list) else value
