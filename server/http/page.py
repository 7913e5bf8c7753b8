"""The API's description as one HTML page, made from its OpenAPI document. No script, no network."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

Schemas = Mapping[str, dict[str, Any]]

STYLE: Final = """
:root { color-scheme: light dark; --line: light-dark(#d7dbe0, #3a4048);
  --soft: light-dark(#f5f6f8, #1d2126); --dim: light-dark(#57606a, #9aa4af); }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 62rem; padding: 1rem; }
h1, h2, h3 { line-height: 1.25; } h2 { border-bottom: 1px solid var(--line); margin-top: 2.5rem; }
article { margin: 2rem 0; } code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 6px;
  overflow-x: auto; padding: 0.75rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: 0.3rem 0.75rem 0.3rem 0;
  text-align: left; vertical-align: top; }
th, .dim { color: var(--dim); font-weight: normal; } a { color: inherit; }
nav ul { columns: 18rem; padding-left: 1.2rem; } .method { font-weight: bold; }
"""

_REF: Final = "#/components/schemas/"
_BOUNDS: Final = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "{} or more characters",
    "maxLength": "{} characters at most",
    "minItems": "{} or more",
    "maxItems": "{} at most",
    "pattern": "matches {}",
    "format": "{}",
}


def page(document: Mapping[str, Any]) -> str:
    """Give the page of an OpenAPI document."""
    title = escape(f"{document['info']['title']} API {document['info']['version']}")
    operations = list(_operations(document))
    schemas: Schemas = document["components"]["schemas"]
    tags = [tag["name"] for tag in document["tags"]]
    body = "".join(
        f'<section><h2 id="{_anchor(tag)}">{escape(tag.capitalize())}</h2>'
        + "".join(_operation(one, schemas) for one in operations if one["tags"] == [tag])
        + "</section>"
        for tag in tags
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body>"
        f"<header><h1>{title}</h1><p>{escape(document['info']['description'])} Send your key as "
        "<code>Authorization: Bearer KEY</code>. The same for programs: "
        '<a href="openapi.json">openapi.json</a>.</p></header>'
        f"<nav><h2>Contents</h2>{_contents(operations)}</nav><main>{body}</main></body></html>"
    )


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield {**operation, "path": path, "method": method.upper()}


def _contents(operations: list[dict[str, Any]]) -> str:
    entries = (
        f'<li><a href="#{_anchor(one["operationId"])}"><code>{one["method"]} '
        f"{escape(one['path'])}</code></a></li>"
        for one in operations
    )
    return f"<ul>{''.join(entries)}</ul>"


def _operation(operation: dict[str, Any], schemas: Schemas) -> str:
    heading = (
        f'<article><h3 id="{_anchor(operation["operationId"])}"><code>'
        f'<span class="method">{operation["method"]}</span> {escape(operation["path"])}</code></h3>'
        f"<p>{escape(operation['summary'])}</p>"
    )
    parts = [heading, f"<pre>{escape(_curl(operation))}</pre>"]
    if operation["parameters"]:
        rows = [
            (one["name"], one["schema"], one["required"], one["in"])
            for one in operation["parameters"]
        ]
        parts.append(_table("Parameters", rows, schemas))
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        parts.append(_fields("Body", schema, schemas))
    for status, answer in operation["responses"].items():
        content = answer.get("content", {}).get("application/json")
        if status.startswith("2") and content is not None:
            parts.append(_fields(f"Answer {status}", content["schema"], schemas))
    errors = [status for status in operation["responses"] if not status.startswith("2")]
    parts.append(f'<p class="dim">Errors: {", ".join(errors)}</p></article>')
    return "".join(parts)


def _curl(operation: dict[str, Any]) -> str:
    request = f"curl -X {operation['method']} http://127.0.0.1:8080{operation['path']}"
    if operation.get("security") != []:
        request += ' -H "Authorization: Bearer $SPOOLOG_API_KEY"'
    if "requestBody" in operation:
        request += " -H 'Content-Type: application/json' -d '{…}'"
    return request


def _fields(title: str, schema: dict[str, Any], schemas: Schemas) -> str:
    """Give the fields of a struct, or of the items of a list of them, as a table."""
    found = _resolved(schema, schemas)
    if found.get("type") == "array":
        title, found = f"{title}: a list of", _resolved(found["items"], schemas)
    required = set(found.get("required", ()))
    rows = [(name, one, name in required, "") for name, one in found.get("properties", {}).items()]
    return _table(title, rows, schemas) if rows else ""


def _table(title: str, rows: list[tuple[str, dict[str, Any], bool, str]], schemas: Schemas) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(_kind(schema, schemas))}</td>"
        f'<td>{"required" if required else ""}</td><td class="dim">{escape(where)}</td></tr>'
        for name, schema, required, where in rows
    )
    return f"<h4>{escape(title)}</h4><table>{cells}</table>"


def _kind(schema: dict[str, Any], schemas: Schemas) -> str:
    """Tell a schema in words: its kind and its bounds."""
    if "anyOf" in schema:
        return " or ".join(_kind(one, schemas) for one in schema["anyOf"])
    found = _resolved(schema, schemas)
    if "enum" in found:
        return "one of " + ", ".join(map(str, found["enum"]))
    kind = found.get("type", "any JSON")
    told = " or ".join(kind) if isinstance(kind, list) else kind
    if told == "array":
        told = f"list of {_kind(found.get('items', {}), schemas)}"
    elif told == "object" and "properties" in found:
        told = f"object with {', '.join(found['properties'])}"
    bounds = [text.format(found[name]) for name, text in _BOUNDS.items() if name in found]
    return ", ".join([told, *bounds])


def _resolved(schema: dict[str, Any], schemas: Schemas) -> dict[str, Any]:
    reference = schema.get("$ref")
    return schema if reference is None else schemas[reference.removeprefix(_REF)]


def _anchor(text: str) -> str:
    return escape(text.replace(" ", "-"), quote=True)
