"""No answer leaves before what it tells of is durable, whatever the endpoint and the outcome."""

import pytest

from projections.decide import jobs
from server.engine import SYSTEM
from server.http.route import API, Route
from server.http.routes import ROUTES
from tests.build import a_job
from tests.server import examples
from tests.server.examples import FILES, WRITES, example_of, perform, stocked
from tests.server.harness import ME, Answer, Face, background, turns, until

# health tells of nothing but the durable position, metrics name no job, events begin with the health,
# and all must answer beside a stuck disk; the dashboard's files are the same for everyone
TELL_NOTHING = {
    *("/health", "/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs"),
    f"{API}/events",
} | {route.path for route in FILES}

# refused requests: method, path, body, status; {held} and {waiting} as in the examples
REFUSED = [
    ("GET", "/jobs/nobody", None, 404),
    ("GET", "/queues/nobody", None, 404),
    ("GET", "/workers/nobody", None, 404),
    ("POST", "/jobs/nobody/retry", None, 404),
    ("DELETE", "/jobs/{held}", None, 409),
    ("POST", "/jobs/{held}/retry", None, 409),
    ("PUT", "/jobs/{held}/priority", {"priority": 1}, 404),
    ("POST", "/jobs/{dead}/complete", {"worker_id": ME}, 409),
    ("POST", "/jobs/{held}/complete", {"worker_id": "w2"}, 409),
    ("POST", "/jobs/{waiting}/heartbeat", {"worker_id": ME}, 409),
    ("POST", "/jobs", {"queue_name": "mail"}, 422),
    ("POST", "/jobs", {"queue_name": "", "payload": 1}, 400),
    ("POST", "/jobs", {"queue_name": "mail", "payload": "x" * 1_048_575}, 413),
    ("GET", "/queues/.x", None, 400),
    ("GET", "/jobs?limit=x", None, 400),
]


def record_something(face: Face) -> None:
    """Have the log take a record that will not be durable before it is released."""
    face.log.hold()
    face.engine.execute(jobs.create, SYSTEM, a_job("elsewhere"))
    assert face.log.durable_position < face.log.last


async def held_back(face: Face, asking: object) -> Answer:
    """Check that the request is answered after the release and not before."""
    task = background(asking)
    await until(lambda: face.log._waiters or task.done())
    await turns()
    assert not task.done(), "an answer left before the log was durable"
    face.log.release()
    answer = await task
    assert face.log.durable_position == face.log.last
    return answer


@pytest.mark.parametrize("route", ROUTES, ids=examples.name)
async def test_answer_waits_for_earlier_records(face: Face, route: Route) -> None:
    stock = await stocked(face)
    record_something(face)
    if route.path in TELL_NOTHING:
        assert (await perform(face, stock, route)).status == 200
        assert face.log.durable_position < face.log.last
    else:
        answer = await held_back(face, perform(face, stock, route))
        assert answer.status == example_of(route).status


@pytest.mark.parametrize(
    "route",
    WRITES,
    ids=examples.name,
)
async def test_answer_waits_for_its_own_record(face: Face, route: Route) -> None:
    stock = await stocked(face)
    if route.path.endswith("/resume"):
        await face.post("/queues/mail/pause")
    face.log.hold()
    last = face.log.last
    answer = await held_back(face, perform(face, stock, route))
    assert answer.status == example_of(route).status
    assert face.log.last == last + 1


@pytest.mark.parametrize(("method", "path", "body", "status"), REFUSED)
async def test_refusal_waits(face: Face, method: str, path: str, body: object, status: int) -> None:
    stock = await stocked(face)
    for name, job_id in stock.ids.items():
        path = path.replace(f"{{{name}}}", job_id)
    record_something(face)
    answer = await held_back(face, face.ask(method, API + path, body))
    assert answer.status == status


@pytest.mark.parametrize("key", [None, "wrong", "limited"])
async def test_refused_key_waits(face: Face, key: str | None) -> None:
    face.add_key("limited", "mail")
    await turns()
    record_something(face)
    body = {"queue_name": "other", "payload": 1}
    answer = await held_back(face, face.post("/jobs", body, key=key))
    assert answer.status == (403 if key == "limited" else 401)


async def test_idempotency_hit_waits_for_the_record_it_tells_of(face: Face) -> None:
    face.log.hold()
    body = {"queue_name": "mail", "payload": 1, "idempotency_key": "k"}
    first = background(face.post("/jobs", body))
    await until(lambda: face.log._waiters)
    again = background(face.post("/jobs", body))
    await until(lambda: len(face.log._waiters) == 2)
    await turns()
    assert not first.done()
    assert not again.done()
    face.log.release()
    assert ((await first).status, (await again).status) == (201, 200)


async def test_what_happens_while_an_answer_waits_does_not_get_into_it(face: Face) -> None:
    job_id = await face.create()
    record_something(face)
    reading = background(face.get(f"/jobs/{job_id}"))
    await until(lambda: face.log._waiters)
    cancelling = background(face.delete(f"/jobs/{job_id}"))
    await until(lambda: face.engine.state.tables.jobs[job_id].status == "cancelled")
    face.log.release()
    assert (await reading).json["status"] == "pending"
    assert (await cancelling).status == 204


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
async def test_health_tells_the_durable_position_only(face: Face, path: str) -> None:
    record_something(face)
    answer = await face.ask("GET", path)
    assert answer.json["position"] == face.log.durable_position < face.log.last
    face.log.release()
