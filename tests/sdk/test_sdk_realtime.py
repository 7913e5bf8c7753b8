"""The official SDK's realtime clients, unchanged: over WebSocket and server-sent events, both kinds."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import pytest
from spooled import AsyncSpooledClient, SpooledClient
from spooled.errors import AuthenticationError, NotFoundError
from spooled.realtime import (
    AsyncSSEClient,
    AsyncWebSocketClient,
    SSEClient,
    SubscriptionFilter,
    WebSocketClient,
    WebSocketConnectionOptions,
)
from spooled.realtime.unified import SpooledRealtime
from spooled.realtime.unified import SubscriptionFilter as Filter

from tests.sdk.clients import Api, config
from tests.server.harness import until

# What the SDK does to a newer websockets than it was made for; raised in its thread, it would end it.
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager")

WAIT_SECS: Final = 10.0
LIFE: Final = [
    "job.created",
    "job.status_changed",
    "job.completed",
    "job.status_changed",
]


class Heard:
    """What a client that calls from a thread of its own has heard, for a test that awaits it."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self._more = threading.Condition()

    def __call__(self, event: Any) -> None:
        with self._more:
            self.events.append(event)
            self._more.notify_all()

    def of(self, queue: str) -> list[Any]:
        return [one for one in self.events if one.data.get("queue_name") == queue]

    async def until(self, condition: Callable[[], bool]) -> None:
        def waiting() -> bool:
            with self._more:
                return self._more.wait_for(condition, WAIT_SECS)

        assert await asyncio.to_thread(waiting), self.events


@asynccontextmanager
async def realtime(url: str, client: str, kind: str) -> AsyncIterator[SpooledRealtime]:
    """Give the unified client that either of the SDK's clients makes."""
    if client == "blocking":
        with SpooledClient(config=config(url)) as made:
            found = await asyncio.to_thread(made.realtime, type=kind)  # type: ignore[arg-type]
            yield found
            await asyncio.to_thread(found.disconnect)
    else:
        async with AsyncSpooledClient(config=config(url)) as async_made:
            found = await async_made.realtime(type=kind)  # type: ignore[arg-type]
            yield found
            await asyncio.to_thread(found.disconnect)


async def a_life(api: Api, queue: str) -> str:
    made = await api("jobs.create", {"queue_name": queue, "payload": {}})
    (job,) = (await api("jobs.claim", {"queue_name": queue, "worker_id": "w"})).jobs
    await api("jobs.complete", job.id, {"worker_id": "w", "lease_id": job.lease_id})
    job_id: str = made.id
    return job_id


async def token_of(api: Api) -> str:
    entered = await api("auth.login", {"api_key": config("http://x").api_key})
    token: str = entered.access_token
    return token


@contextmanager
def closing(client: Any) -> Iterator[Any]:
    try:
        yield client
    finally:
        client.close()


# -- the unified client


@pytest.mark.parametrize("client", ["blocking", "asyncio"])
@pytest.mark.parametrize("kind", ["websocket", "sse"])
async def test_a_life_is_heard(url: str, api: Api, client: str, kind: str) -> None:
    heard, created = Heard(), Heard()
    async with realtime(url, client, kind) as live:
        live.on_event(heard)
        live.on("job.created", created)
        await asyncio.to_thread(live.connect)
        assert live.state == "connected"
        await heard.until(lambda: heard.events[:1] != [])  # a ping, or the health
        assert heard.events[0].type == ("ping" if kind == "websocket" else "system.health")
        job_id = await a_life(api, "mail")
        await heard.until(lambda: len(heard.of("mail")) == len(LIFE))
    assert [one.type for one in heard.of("mail")] == LIFE
    assert [one["job_id"] for one in created.events] == [job_id]
    assert created.events[0]["priority"] == 0
    assert heard.of("mail")[0].timestamp is not None


@pytest.mark.parametrize("kind", ["websocket", "sse"])
async def test_one_queue_is_heard(url: str, api: Api, kind: str) -> None:
    heard = Heard()
    async with realtime(url, "blocking", kind) as live:
        live.on_event(heard)
        await asyncio.to_thread(live.subscribe, Filter(queue="mail"))
        await asyncio.to_thread(live.connect)
        await heard.until(lambda: heard.events[:1] != [])
        if kind == "websocket":  # no command is acknowledged
            await obeyed(live, heard)
        await a_life(api, "other")
        await a_life(api, "mail")
        await heard.until(lambda: len(heard.of("mail")) == len(LIFE))
        assert heard.of("other") == []


async def test_one_job_is_heard_until_it_has_ended(url: str, api: Api) -> None:
    heard = Heard()
    made = await api("jobs.create", {"queue_name": "mail", "payload": {}})
    async with realtime(url, "blocking", "sse") as live:
        live.on_event(heard)
        await asyncio.to_thread(live.connect, Filter(job_id=made.id))
        await heard.until(lambda: len(heard.events) == 1)
        (job,) = (await api("jobs.claim", {"queue_name": "mail", "worker_id": "w"})).jobs
        await api("jobs.complete", job.id, {"worker_id": "w"})
        await heard.until(lambda: live.state == "disconnected" or len(heard.events) == 3)
    assert [one.data["new_status"] for one in heard.events] == [
        "pending",
        "processing",
        "completed",
    ]


async def test_subscriptions_change(url: str, api: Api) -> None:
    heard = Heard()
    async with realtime(url, "blocking", "websocket") as live:
        live.on_event(heard)
        await asyncio.to_thread(live.connect)
        await asyncio.to_thread(live.subscribe, Filter(queue="mail"))
        await asyncio.to_thread(live.subscribe, Filter(queue="video"))
        await asyncio.to_thread(live.unsubscribe, Filter(queue="mail"))
        await obeyed(live, heard)
        await a_life(api, "mail")
        await a_life(api, "video")
        await heard.until(lambda: len(heard.of("video")) == len(LIFE))
        assert heard.of("mail") == []


async def obeyed(live: SpooledRealtime, heard: Heard) -> None:
    """Wait until the server has obeyed all commands before: it answers a Ping of ours."""
    pings = sum(one.type == "ping" for one in heard.events)
    await asyncio.to_thread(live._ws.send, '{"cmd": "ping"}')
    await heard.until(lambda: sum(one.type == "ping" for one in heard.events) > max(pings, 1))


# -- the clients beneath


async def test_the_websocket_client(url: str, api: Api) -> None:
    heard = Heard()
    options = WebSocketConnectionOptions(
        ws_url=url.replace("http", "ws"), token=await token_of(api)
    )
    client = WebSocketClient(options)
    client.on_event(heard)
    await asyncio.to_thread(client.connect)
    await asyncio.to_thread(client.subscribe, SubscriptionFilter(queue="mail"))
    await asyncio.to_thread(client.ping)
    await heard.until(lambda: sum(one.type == "ping" for one in heard.events) == 2)
    await a_life(api, "other")
    await a_life(api, "mail")
    await heard.until(lambda: len(heard.of("mail")) == len(LIFE))
    assert heard.of("other") == []
    await asyncio.to_thread(client.disconnect)


async def test_the_async_websocket_client(url: str, api: Api) -> None:
    options = WebSocketConnectionOptions(
        ws_url=url.replace("http", "ws"), token=await token_of(api)
    )
    async with AsyncWebSocketClient(options) as client:
        events = client.events()
        assert (await anext(events)).type == "ping"
        await client.subscribe(SubscriptionFilter(queue="mail"))
        await client.ping()
        assert (await anext(events)).type == "ping"
        await a_life(api, "other")
        await a_life(api, "mail")
        assert [(await anext(events)).type for _ in LIFE] == LIFE
        await events.aclose()


async def test_the_sse_client(url: str, api: Api) -> None:
    def listen(client: SSEClient, found: list[Any]) -> None:
        for event in client.events():
            found.append(event)
            if len(found) == 1 + len(LIFE):
                return

    found: list[Any] = []
    with closing(SSEClient(url, await token_of(api), queue="mail")) as client:
        listening = asyncio.create_task(asyncio.to_thread(listen, client, found))
        await until(lambda: found, 10_000_000)
        await a_life(api, "other")
        await a_life(api, "mail")
        await asyncio.wait_for(listening, WAIT_SECS)
    assert [one.type for one in found] == ["system.health", *LIFE]


async def test_the_async_sse_client(url: str, api: Api) -> None:
    job = await api("jobs.create", {"queue_name": "mail", "payload": {}})
    client = AsyncSSEClient(url, await token_of(api), job_id=job.id)
    await client.connect()
    events = client.events()
    assert (await anext(events)).data["new_status"] == "pending"
    await api("jobs.cancel", job.id)
    assert [one.data["new_status"] async for one in events] == ["cancelled"]
    client = AsyncSSEClient(url, await token_of(api), job_id="nobody")
    await client.connect()
    assert [one.type async for one in client.events()] == ["error"]


@pytest.mark.parametrize("token", ["eyJ.no.token", "sp_test_wrong_key"])
async def test_who_is_refused_is_told_so(url: str, token: str) -> None:
    client = AsyncSSEClient(url, token)
    with pytest.raises(AuthenticationError):
        await client.connect()
    options = WebSocketConnectionOptions(ws_url=url.replace("http", "ws"), token=token)
    with pytest.raises(Exception, match="401"):
        await AsyncWebSocketClient(options).connect()


# -- tokens


async def test_every_method_of_auth(url: str, api: Api) -> None:
    entered = await api("auth.login", {"api_key": config(url).api_key})
    refreshed = await api("auth.refresh", {"refresh_token": entered.refresh_token})
    found = await api("auth.validate", {"token": refreshed.access_token})
    assert (found.valid, found.organization_id) == (True, "default")
    for call in (api("auth.start_email_login", "a@b.c"), api("auth.check_email", "a@b.c")):
        with pytest.raises(NotFoundError):
            await call
    with SpooledClient(
        access_token=refreshed.access_token, refresh_token=entered.refresh_token, base_url=url
    ) as client:
        me = await asyncio.to_thread(client.auth.me)
        assert me.api_key_id == found.api_key_id
        assert me.expires_at == found.expires_at
        await asyncio.to_thread(client.jobs.create, {"queue_name": "mail", "payload": {}})
        await asyncio.to_thread(client.auth.logout)
        assert not (await api("auth.validate", {"token": refreshed.access_token})).valid
        with pytest.raises(AuthenticationError):
            await asyncio.to_thread(client.queues.list)
