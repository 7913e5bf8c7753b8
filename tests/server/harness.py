"""A server in memory and a client that speaks to it over HTTP.

`Face` holds both ends: requests go through aiohttp's client, and the tests may look at the engine
behind it. The clock moves only when told to.
"""

import asyncio
import io
import json
import re
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from msgspec import Struct
from multidict import CIMultiDictProxy
from yarl import URL

from eventlog import MemoryLog
from projections.decide import Context, Decision, Policy, access
from projections.digest import digest
from projections.events import KeyCreated
from projections.state import State
from server.access import hashed, new_key
from server.app import build_app
from server.engine import SYSTEM, Engine
from server.http.connections import Runner
from server.http.route import API
from server.http.service import SERVICE, Service
from server.settings import Settings
from tests.fakes import FakeClock, counting_ids

KEY: Final = "sp_test_0123456789abcdef"
SECRET: Final = b"a secret of the tests, 32 bytes."
ME: Final = "w1"
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
LARGE: Final = 1_048_576
"""From here on aiohttp's client wants a file, not bytes."""
TURNS: Final = 50
"""Turns of the event loop after which a request that could be answered has been."""


class Answer(Struct, frozen=True):
    """A whole response."""

    status: int
    headers: CIMultiDictProxy[str]
    content: bytes

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"].startswith("application/json")
        return json.loads(self.content)


class Server(TestServer):
    """The test client's server, run as the real one is."""

    def __init__(self, app: web.Application, settings: Settings) -> None:
        super().__init__(app)
        self._settings = settings

    async def _make_runner(self, **kwargs: Any) -> Runner:
        return Runner(self.app, self._settings, **kwargs)


class Face:
    """The server's two sides: requests at the front, the engine behind."""

    def __init__(self, client: TestClient[Any, Any], engine: Engine, clock: FakeClock) -> None:
        self.client = client
        self.engine = engine
        self.clock = clock
        self.stock: object = None

    @property
    def log(self) -> MemoryLog:
        assert isinstance(self.engine.log, MemoryLog)
        return self.engine.log

    @property
    def service(self) -> Service:
        assert isinstance(self.client.server, Server)
        return self.client.server.app[SERVICE]

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = KEY,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request, `body` as JSON or `data` as it is, and read the whole answer."""
        if body is not None:
            data = json.dumps(body).encode()
        if isinstance(data, bytes) and len(data) > LARGE:
            data = io.BytesIO(data)
        sent = {"Content-Type": "application/json"} | dict(headers or {})
        if key is not None:
            sent.setdefault("Authorization", f"Bearer {key}")
        target = URL(path, encoded=True)
        async with self.client.request(method, target, data=data, headers=sent) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.ask("GET", API + path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.ask("POST", API + path, body, **options)

    async def put(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.ask("PUT", API + path, body, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        return await self.ask("DELETE", API + path, **options)

    async def exchange(self, request: bytes) -> bytes:
        """Send bytes as they are, over a connection of their own, and read all that comes back."""
        reader, writer = await asyncio.open_connection(self.client.host, self.client.port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    # -- steps that must succeed

    async def create(self, queue: str = "mail", payload: Any = None, **fields: Any) -> str:
        body = {"queue_name": queue, "payload": payload or {}, **fields}
        made = await self.post("/jobs", body)
        assert made.status == 201, made.content
        job_id: str = made.json["id"]
        return job_id

    async def job(self, job_id: str) -> dict[str, Any]:
        found = await self.get(f"/jobs/{job_id}")
        assert found.status == 200, found.content
        job: dict[str, Any] = found.json
        return job

    async def claim(
        self, queue: str = "mail", worker: str = ME, **fields: Any
    ) -> list[dict[str, Any]]:
        claimed = await self.post(
            "/jobs/claim", {"queue_name": queue, "worker_id": worker, **fields}
        )
        assert claimed.status == 200, claimed.content
        jobs: list[dict[str, Any]] = claimed.json["jobs"]
        return jobs

    async def settle(self, verb: str, job_id: str, **fields: Any) -> dict[str, Any]:
        """Complete or fail a job; as `fail` needs one, an error is filled in."""
        fields = {"worker_id": ME, **({"error": "boom"} if verb == "fail" else {}), **fields}
        settled = await self.post(f"/jobs/{job_id}/{verb}", fields)
        assert settled.status == 200, settled.content
        answer: dict[str, Any] = settled.json
        return answer

    async def summaries(self, query: str = "") -> list[dict[str, Any]]:
        found = await self.get(f"/jobs?{query}")
        assert found.status == 200, found.content
        jobs: list[dict[str, Any]] = found.json
        return jobs

    def advance(self, secs: float) -> None:
        """Let time pass, and what it brings about happen."""
        self.clock.advance(secs)
        while self.engine.perform_duties(500):
            pass

    def footprint(self) -> tuple[str, int]:
        """Give what any change would change: the state's digest and the log's last position."""
        return digest(self.engine.state), self.log.last

    def add_key(self, key: str, *queues: str) -> None:
        """Make another key valid, for these queues only."""
        self.engine.execute(_key_for, SYSTEM, key, list(queues))


async def an_engine(policy: Policy | None = None, log: MemoryLog | None = None) -> Engine:
    """Make an engine on an empty log, with the one key `KEY`."""
    log = log or MemoryLog()
    await log.begin()
    engine = Engine(State(), log, FakeClock(), counting_ids(), policy or Policy())
    engine.execute(access.bootstrap, SYSTEM, new_key(SECRET, "test", KEY))
    return engine


async def started(
    aiohttp_client: Any,
    policy: Policy | None = None,
    log: MemoryLog | None = None,
    **settings: Any,
) -> Face:
    """Start a server on `an_engine`, with these options of `build_app`."""
    engine = await an_engine(policy, log)
    assert isinstance(engine._clock, FakeClock)
    server = Server(build_app(engine, SECRET, Settings(**settings)), Settings(**settings))
    return Face(await aiohttp_client(server), engine, engine._clock)


def assert_refused(answer: Answer, status: int, code: str) -> dict[str, Any]:
    """Check the one shape of an error body, and give it."""
    assert (answer.status, answer.json.get("code")) == (status, code), answer.content
    body: dict[str, Any] = answer.json
    assert isinstance(body["message"], str)
    assert body["message"]
    if code == "VALIDATION_ERROR":
        assert set(body) == {"code", "message", "error", "details"}
        assert body["error"] == "Validation failed"
        assert body["details"]
        assert all(set(one) == {"field", "message"} for one in body["details"])
    else:
        assert set(body) == {"code", "message"}
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert answer.headers["X-Request-Id"]
    return body


def background(asking: Coroutine[Any, Any, Answer]) -> asyncio.Task[Answer]:
    return asyncio.create_task(asking)


async def turns(count: int = TURNS) -> None:
    """Let the event loop turn; the bound of every wait for something that must not happen."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Any, turns_max: int = 20_000) -> None:
    """Let the event loop turn until the condition holds."""
    for _ in range(turns_max):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came about")


def _key_for(state: State, ctx: Context, key: str, queues: list[str]) -> Decision[None]:
    event = KeyCreated(
        org=ctx.org,
        key=f"key_{ctx.new_id()}",
        name="limited",
        hash=hashed(SECRET, key),
        prefix=key[:8],
        queues=queues,
    )
    return Decision((event,), None)
