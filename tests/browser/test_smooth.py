"""Whether the page stays smooth: a trace of each screen while jobs come and go and someone uses it.

The short form sees that it is recorded. The long form, `make smooth`, has a million jobs and a
thousand events a second for half a minute a screen, and fails when the page's main thread was busy
for more than a tenth of a second at once. On a busy machine a task takes longer than it works:
what is told has both.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest
from msgspec import Struct, json
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Served, Visit, serving, settled
from tests.browser.guard import Guard
from tests.browser.hands import Hands
from tests.browser.recording import recorded
from tools.bench import manyjobs, screens
from tools.bench.pace import Kept, Pace
from tools.children import running

T = TypeVar("T")
LONG: Final = os.environ.get("SPOOLOG_BROWSER") == "long"
JOBS: Final = 1_000_000 if LONG else 20_000
EVENTS_PER_SEC: Final = 1_000 if LONG else 200
SECS: Final = 30 if LONG else 1
LONGEST_MS: Final = 100
QUEUE: Final = manyjobs.QUEUES[7]
MIB: Final = 1 << 20
_PATIENCE_MS: Final = 300_000
_PAUSE_MS: Final = 150


class Sight(Struct, frozen=True):
    """A screen, and what somebody does there, over and over."""

    address: str
    use: Callable[[Page], None]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run a server that has many jobs, under load."""
    data_dir = tmp_path_factory.mktemp("many") / "data"
    beside(lambda: manyjobs.write(data_dir, JOBS, lambda done, of: None))
    with serving(data_dir) as server, running("tools.bench.pace", stdin=True) as load:
        parts = urlsplit(server.url)
        assert parts.hostname is not None
        assert parts.port is not None
        pace = Pace(parts.hostname, parts.port, server.key, list(manyjobs.QUEUES), EVENTS_PER_SEC)
        assert load.process.stdin is not None
        load.process.stdin.write(json.encode(pace) + b"\n")
        load.process.stdin.flush()
        yield server
        assert json.decode(load.output(b"", 60), type=Kept).jobs > 0


def beside(work: Callable[[], T]) -> T:
    """Do this in another thread; an event loop is running in the one of the tests."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


# -- what somebody does


def scroll(page: Page) -> None:
    for way in (600, 600, 600, -1_800):
        page.mouse.wheel(0, way)
        page.wait_for_timeout(_PAUSE_MS)


def look(page: Page) -> None:
    page.mouse.move(640, 400)
    scroll(page)


def filter_queues(page: Page) -> None:
    field = page.get_by_label("Filter queues by name")
    field.press_sequentially("queue-1", delay=60)
    scroll(page)
    field.fill("")
    page.locator("#queues").get_by_role("button").first.click()


def over_time(page: Page) -> None:
    for span in ("15 min", "24 h", "1 h"):
        page.get_by_role("button", name=span, exact=True).click()
        page.mouse.move(500, 500, steps=10)
        scroll(page)


def filter_jobs(page: Page) -> None:
    field = page.get_by_role("combobox", name="Filter")
    field.fill("")
    for text in (f"status:pending queue:{QUEUE} ", "payload:@example.com"):
        field.press_sequentially(text, delay=30)
        page.keyboard.press("Enter")
        scroll(page)
    page.locator("#jobs").get_by_role("button", name="Created").click()
    page.get_by_role("checkbox", name="Select all on this page").click()
    page.get_by_role("button", name="Next").click()
    scroll(page)


def unfold(page: Page) -> None:
    scroll(page)
    payload = page.locator("#payload")
    for parts in (payload.locator("summary"), payload.get_by_role("button")):
        for index in range(1, 4):
            if parts.nth(index).is_visible():
                parts.nth(index).click()
                page.wait_for_timeout(_PAUSE_MS)


def read_the_log(page: Page) -> None:
    scroll(page)
    page.locator("ol.tail").get_by_role("button").nth(3).click()
    for kind in ("job.completed", ""):
        page.get_by_label("Event type").fill(kind)
        page.keyboard.press("Enter")
        scroll(page)


def travel(page: Page) -> None:
    for step in ("One record back", "One record back", "One record on"):
        page.get_by_role("button", name=step).click()
        page.wait_for_timeout(_PAUSE_MS)
    scroll(page)


SIGHTS: Final = {
    "overview": Sight("overview", look),
    "queues": Sight("queues", filter_queues),
    "queue": Sight(f"queues/{QUEUE}", over_time),
    "jobs": Sight(f"jobs?q=status%3Apending+queue%3A{QUEUE}", filter_jobs),
    "job": Sight("jobs/{small}", unfold),
    "job-of-many-values": Sight("jobs/{values}", unfold),
    "job-of-one-text": Sight("jobs/{text}", unfold),
    "deadletters": Sight("deadletters", look),
    "workers": Sight("workers", look),
    "log": Sight("log", read_the_log),
    "time": Sight("time", travel),
}


@pytest.fixture(scope="module")
def jobs(hands: Hands) -> dict[str, str]:
    """Have jobs to look at that nobody works on, some as large as they may be."""
    values = [{"id": number, "to": f"user{number}@example.com"} for number in range(20_000)]
    payloads: dict[str, Any] = {
        "small": {"to": "someone@example.com"},
        "values": {"list": values, "by_id": {str(one["id"]): one["to"] for one in values[:5_000]}},
        "text": {"text": "All work and no play. " * (MIB // 22 - 10)},
    }
    return {name: hands.create("watched", payload) for name, payload in payloads.items()}


@pytest.mark.parametrize("name", SIGHTS)
def test_no_task_takes_long(
    *,
    browser: Browser,
    visit: Visit,
    guards: list[Guard],
    jobs: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    sight = SIGHTS[name]
    page = visit.open("desktop-light")
    if name == "time":
        guards[0].allow("503")  # the past is on its way
    with recorded(browser, page, name) as trace:
        page.goto(visit.served.link)
        settled(page)
        page.goto(f"{visit.served.url}/#/{sight.address.format_map(jobs)}")
        shown(page, name)
        page.evaluate("(name) => performance.mark(name)", name)
        end = time.monotonic() + SECS
        while time.monotonic() < end:
            sight.use(page)
    assert name in trace.marks
    assert len(trace.tasks) > 100
    with capsys.disabled():
        most_ms = max(task.own_ms for task in trace.tasks)
        told = f"longest task {trace.longest}; most on a processor {most_ms:.0f} ms"
        print(f"\n{name}: {told}")  # noqa: T201 - the figure
    if LONG:
        assert [str(task) for task in trace.over(LONGEST_MS)] == []


def test_a_task_that_takes_long_is_seen(browser: Browser, visit: Visit) -> None:
    page = visit()
    with recorded(browser, page, "busy") as trace:
        page.evaluate("performance.mark('busy')")
        page.evaluate(
            "() => { const end = performance.now() + 150; while (performance.now() < end); }"
        )
    trace.path.unlink()
    assert trace.longest.ms >= 149
    assert trace.over(149) != []


def shown(page: Page, name: str) -> None:
    """Wait until it is there; the past of many jobs takes the server long."""
    if name == "time":
        expect(page.locator("#record")).to_be_visible(timeout=_PATIENCE_MS)
    settled(page)


# -- the bench measures these screens


@pytest.mark.parametrize("name", screens.SCREENS)
def test_the_bench_asks_what_the_page_asks(visit: Visit, jobs: dict[str, str], name: str) -> None:
    page = visit()
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    page.goto(f"{visit.served.url}/#/{SIGHTS[name].address.format_map(jobs)}")
    page.reload()
    settled(page)
    told = beside(lambda: asyncio.run(asked_by_the_bench(visit.served, jobs["small"], name)))
    api = {plain(url) for url in asked if "/api/" in url}
    streams = {one for one in api if one[0] == "/api/v1/auth/login" or "/events/" in one[0]}
    assert {plain(path) for path in told} == api - streams
    assert bool(streams) == screens.SCREENS[name].streams


async def asked_by_the_bench(served: Served, job: str, name: str) -> list[str]:
    headers = {"Authorization": f"Bearer {served.key}"}
    async with aiohttp.ClientSession(served.url, headers=headers) as session:
        visit = screens.Visit(session, QUEUE, job)
        await screens.SCREENS[name].load(visit)
        return [f"/api/v1/{path}" for path in visit.asked]


def plain(url: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Take from an address what differs each time."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "token"]
    return parts.path, tuple(sorted((n, "" if n == "after" else v) for n, v in query))
