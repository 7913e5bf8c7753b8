"""One request per endpoint that succeeds on a server with a little in it, for tests that walk ROUTES."""

import json
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from server.http.route import API, Route
from server.http.routes import ROUTES
from tests.server.harness import KEY, ME, Answer, Face


class Example(Struct, frozen=True):
    """A body that is accepted, the status it is answered with, and what stands for the path's id.

    Where `token`, the caller bears a token and not a key.
    """

    body: Any = None
    status: int = 200
    subject: str = ""
    query: str = ""
    token: bool = False


class Stock(Struct, frozen=True):
    """What `stocked` put there, by what the examples call it."""

    ids: Mapping[str, str]

    def body(self, example: Example) -> Any:
        """Give the example's body with the ids that it calls by name."""
        text = json.dumps(example.body)
        for name, job_id in self.ids.items():
            text = text.replace(f'"{{{name}}}"', f'"{job_id}"')
        return json.loads(text)

    def filled(self, data: Any) -> Any:
        """Give a body's bytes with the tokens that they call by name; blanks at the end make room."""
        if not isinstance(data, bytes):
            return data
        filled = data
        for name in ("token", "refresh"):
            filled = filled.replace(f'"{{{name}}}"'.encode(), f'"{self.ids[name]}"'.encode())
        longer = len(filled) - len(data)
        return filled.removesuffix(b" " * longer)

    def path(self, route: Route, example: Example) -> str:
        filled = route.path.replace("{id}", self.ids.get(example.subject, ""))
        filled = filled.replace("{folder}/{file}", "components/table.js")
        filled = filled.replace("js/{file}", "js/main.js").replace("{file}", "dashboard.css")
        return filled.replace("{name}", "mail") + example.query


OUTSIDE: Final = ("/dashboard/", "/health", "/openapi.json", "/docs", "/metrics")
PAUSED_AT: Final = 9
"""where `stocked` has paused a queue that nothing else is about"""
_EXAMPLES: Final[dict[tuple[str, str], Example]] = {
    ("GET", "/"): Example(),
    ("GET", "/dashboard/{file}"): Example(),
    ("GET", "/dashboard/js/{file}"): Example(),
    ("GET", "/dashboard/js/{folder}/{file}"): Example(),
    ("GET", "/health"): Example(),
    ("GET", "/health/live"): Example(),
    ("GET", "/health/ready"): Example(),
    ("GET", "/openapi.json"): Example(),
    ("GET", "/docs"): Example(),
    ("GET", "/metrics"): Example(),
    ("POST", "/auth/login"): Example({"api_key": KEY}),
    ("POST", "/auth/refresh"): Example({"refresh_token": "{refresh}"}),
    ("POST", "/auth/logout"): Example({}, 204, token=True),
    ("GET", "/auth/me"): Example(token=True),
    ("POST", "/auth/validate"): Example({"token": "{token}"}),
    ("POST", "/jobs"): Example({"queue_name": "mail", "payload": {}}, 201),
    ("GET", "/jobs"): Example(),
    ("POST", "/jobs/bulk"): Example({"queue_name": "mail", "jobs": [{"payload": 1}]}),
    ("POST", "/jobs/bulk/complete"): Example({"worker_id": ME, "jobs": [{"job_id": "{held}"}]}),
    ("POST", "/jobs/bulk/fail"): Example(
        {"worker_id": ME, "jobs": [{"job_id": "{held}", "error": "e"}]}
    ),
    ("POST", "/jobs/actions"): Example({"action": "purge", "filter": {"status": "deadletter"}}),
    ("GET", "/jobs/dlq"): Example(),
    ("POST", "/jobs/dlq/retry"): Example({"limit": 1}),
    ("POST", "/jobs/dlq/purge"): Example({"confirm": True}),
    ("POST", "/jobs/claim"): Example({"queue_name": "mail", "worker_id": ME}),
    ("GET", "/jobs/stats"): Example(),
    ("GET", "/jobs/status"): Example(query="?ids=x"),
    ("GET", "/jobs/{id}"): Example(subject="held"),
    ("DELETE", "/jobs/{id}"): Example(None, 204, "waiting"),
    ("POST", "/jobs/{id}/cancel"): Example({"reason": "enough"}, 202, "held"),
    ("GET", "/jobs/{id}/history"): Example(subject="held"),
    ("GET", "/jobs/{id}/explain"): Example(subject="held"),
    ("POST", "/jobs/{id}/retry"): Example(subject="dead"),
    ("PUT", "/jobs/{id}/priority"): Example({"priority": 7}, subject="waiting"),
    ("POST", "/jobs/{id}/complete"): Example({"worker_id": ME}, subject="held"),
    ("POST", "/jobs/{id}/fail"): Example({"worker_id": ME, "error": "e"}, subject="held"),
    ("POST", "/jobs/{id}/heartbeat"): Example({"worker_id": ME}, subject="held"),
    ("GET", "/queues"): Example(),
    ("GET", "/queues/{name}"): Example(),
    ("DELETE", "/queues/{name}"): Example(None, 204, query="?delete_jobs=true"),
    ("PUT", "/queues/{name}/config"): Example({"max_retries": 5}),
    ("GET", "/queues/{name}/stats"): Example(),
    ("GET", "/queues/{name}/series"): Example(query="?since_secs=600"),
    ("GET", "/queues/{name}/timings"): Example(),
    ("POST", "/queues/{name}/pause"): Example({"reason": "lunch"}),
    ("POST", "/queues/{name}/resume"): Example(),
    ("GET", "/workers"): Example(),
    ("GET", "/claimants"): Example(),
    ("POST", "/workers/register"): Example({"queue_name": "mail", "hostname": "h"}, 201),
    ("GET", "/workers/{id}"): Example(subject="worker"),
    ("POST", "/workers/{id}/heartbeat"): Example({"current_jobs": 1}, subject="worker"),
    ("POST", "/workers/{id}/deregister"): Example(None, 204, "worker"),
    ("GET", "/dashboard"): Example(),
    ("GET", "/events"): Example(query="?limit=1"),
    ("GET", "/events/jobs/{id}"): Example(subject="dead"),
    ("GET", "/events/queues/{name}"): Example(query="?limit=1"),
    ("GET", "/ws"): Example(status=426),
    ("GET", "/log/stat"): Example(),
    ("GET", "/log/records"): Example(),
    ("GET", "/log/segments"): Example(),
    ("GET", "/log/span"): Example(),
    ("POST", "/log/undo"): Example({"position": PAUSED_AT}),
    ("GET", "/log/digest"): Example(),
}
EXAMPLES: Final = {
    (method, path if path == "/" or path.startswith(OUTSIDE) else API + path): example
    for (method, path), example in _EXAMPLES.items()
}

FILES: Final = [route for route in ROUTES if route.path == "/" or "{file}" in route.path]
"""of the dashboard, the same for everyone"""
WRITES: Final = [
    route for route in ROUTES if route.method != "GET" and not route.path.startswith(f"{API}/auth/")
]
"""What may become a record; tokens are none."""
CLOSED: Final = [route for route in ROUTES if not route.open]
WITH_BODY: Final = [route for route in ROUTES if route.body is not None]
WITH_ID: Final = [route for route in ROUTES if "{id}" in route.path]


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


def example_of(route: Route) -> Example:
    return EXAMPLES[route.method, route.path]


async def stocked(face: Face) -> Stock:
    """Give every example something to work on; once, however often it is asked."""
    if isinstance(face.stock, Stock):
        return face.stock
    dead = await face.create(max_retries=0)
    await face.claim()
    await face.settle("fail", dead)
    held = await face.create()
    await face.claim()
    waiting = await face.create()
    registered = await face.post("/workers/register", {"queue_name": "mail", "hostname": "h"})
    await face.post("/queues/video/pause")
    assert face.log.last == PAUSED_AT
    entered = (await face.post("/auth/login", {"api_key": KEY}, key=None)).json
    ids = {
        "dead": dead,
        "held": held,
        "waiting": waiting,
        "worker": registered.json["id"],
        "token": entered["access_token"],
        "refresh": entered["refresh_token"],
    }
    face.stock = stock = Stock(ids)
    return stock


async def perform(face: Face, stock: Stock, route: Route, **options: Any) -> Answer:
    """Send the endpoint's example request."""
    example = example_of(route)
    if example.token:
        options.setdefault("key", stock.ids["token"])
    return await face.ask(route.method, stock.path(route, example), stock.body(example), **options)
