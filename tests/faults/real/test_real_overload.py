"""More than anyone should ask of a server: it refuses or answers, forgets nobody, and stays small.

The slow senders need the limits on heads and bodies (`--head-secs`, `--body-secs`, `--idle-secs`).
"""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Final

from tests.faults.figures import report
from tests.faults.real import wire
from tests.faults.real.client import Client, connected
from tests.faults.real.ledger import Ledger
from tests.faults.real.size import LONG
from tests.faults.real.stage import Stage, stage

IDLE: Final = 10_000 if LONG else 1_000
QUEUED: Final = 50_000 if LONG else 5_000
CONNECTIONS: Final = 500
SLOW: Final = 40
ACTIVE: Final = 50
CYCLES: Final = 10
GIB: Final = 2**30
BODY_MIB_MAX: Final = 64
_HANG_SECS: Final = 60 * (5 if LONG else 1)
_JOB = b'{"queue_name":"flood","payload":{"number":1}}'


async def work(client: Client, number: int, cycles: int = CYCLES) -> int:
    """Create, claim and complete in a queue of one's own; give how often that went right."""
    done = 0
    for _ in range(cycles):
        body = {"queue_name": f"q{number}", "payload": number}
        made = await client.call("create", "POST", "/jobs", body)
        body = {"queue_name": f"q{number}", "worker_id": f"w{number}"}
        claimed = await client.call("claim", "POST", "/jobs/claim", body)
        assert [job["id"] for job in claimed.answer["jobs"]] == [made.answer["id"]]
        body = {"worker_id": f"w{number}", "lease_id": claimed.answer["jobs"][0]["lease_id"]}
        done += (
            await client.call("complete", "POST", f"/jobs/{made.answer['id']}/complete", body)
        ).ok
    return done


async def served(server: Stage, ledger: Ledger, clients: int = ACTIVE) -> int:
    """Let many clients work at once; give how many jobs they got done."""
    async with connected(server.url, ledger) as client:
        return sum(await asyncio.gather(*(work(client, number) for number in range(clients))))


async def test_served_beside_idle_connections(tmp_path: Path, ledger: Ledger) -> None:
    with wire.descriptors(IDLE + 2_000), stage(tmp_path / "data") as server:
        server.start()
        assert await served(server, ledger) == ACTIVE * CYCLES  # everything is warm
        async with wire.Memory(server) as memory:
            async with wire.opened(server.url, IDLE) as idle:
                done = await served(server, ledger)
                open_ = sum(not reader.at_eof() for reader, _ in idle)
            assert await served(server, ledger, 1) == CYCLES
    report(
        "real_overload: idle",
        idle=IDLE,
        still_open=open_,
        jobs_done=done,
        rss_mib_before=memory.before,
        rss_mib_peak=memory.peak,
        rss_mib_after=memory.after,
        kib_per_idle=round((memory.peak - memory.before) * 1024 / IDLE, 1),
    )
    assert done == ACTIVE * CYCLES


async def test_slow_senders_are_cut_off(tmp_path: Path, ledger: Ledger) -> None:
    limits = ("--head-secs", "2", "--body-secs", "3", "--idle-secs", "60")
    heads = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
    bodies = wire.head("POST", "/api/v1/jobs", "Content-Length: 1000") + b'{"payload": "'
    with stage(tmp_path / "data", *limits) as server:
        server.start()
        async with asyncio.timeout(_HANG_SECS), wire.opened(server.url, 2 * SLOW) as ends:
            slow = [wire.drip(one, heads, 1) for one in ends[:SLOW]]
            slow += [wire.drip(one, bodies, 1) for one in ends[SLOW:]]
            dripping = asyncio.gather(*slow)
            done = await served(server, ledger)
            statuses = Counter(await dripping)
        assert await served(server, ledger, 1) == CYCLES
    report(
        "real_overload: slow",
        senders=2 * SLOW,
        told_408=statuses[408],
        closed=statuses[None],
        jobs_done_meanwhile=done,
    )
    assert done == ACTIVE * CYCLES
    assert set(statuses) <= {408, None}


BODIES: Final = {
    "length told": ("/api/v1/jobs", f"Content-Length: {GIB}"),
    "length told, bulk": ("/api/v1/jobs/bulk", f"Content-Length: {GIB}"),
    "in chunks": ("/api/v1/jobs", "Transfer-Encoding: chunked"),
    "in chunks, bulk": ("/api/v1/jobs/bulk", "Transfer-Encoding: chunked"),
}


async def test_endless_bodies_are_not_kept(tmp_path: Path, ledger: Ledger) -> None:
    with stage(tmp_path / "data") as server:
        server.start()
        await served(server, ledger)
        for name in BODIES:
            await _pour(server, name)
            assert await served(server, ledger, 1) == CYCLES


async def _pour(server: Stage, name: str) -> None:
    path, size = BODIES[name]
    first = wire.head("POST", path, size, "Content-Type: application/json")
    async with wire.Memory(server) as memory, wire.opened(server.url, 1) as ends:
        chunked = "chunked" in size
        status, sent = await wire.pour(ends[0], first, GIB, chunked=chunked, deaf=LONG)
    report(
        f"real_overload: endless body, {name}",
        status=status or 0,
        sent_mib=round(sent / 2**20, 1),
        rss_mib_before=memory.before,
        rss_mib_peak=memory.peak,
        rss_mib_after=memory.after,
    )
    assert status in {413, None}
    assert memory.peak - memory.before <= BODY_MIB_MAX


async def test_requests_queued_at_once_are_all_answered(tmp_path: Path, ledger: Ledger) -> None:
    each = QUEUED // CONNECTIONS
    request = wire.head("POST", "/api/v1/jobs", f"Content-Length: {len(_JOB)}") + _JOB
    with wire.descriptors(CONNECTIONS + 2_000), stage(tmp_path / "data") as server:
        server.start()
        await served(server, ledger)
        async with wire.Memory(server) as memory:
            async with asyncio.timeout(_HANG_SECS), wire.opened(server.url, CONNECTIONS) as ends:
                counts = await asyncio.gather(*(wire.fire(one, request, each) for one in ends))
            assert await served(server, ledger) == ACTIVE * CYCLES
        async with connected(server.url, ledger) as client:
            _, jobs = await client.ask("/jobs/stats")
    statuses = sum(counts, Counter())
    report(
        "real_overload: queued",
        requests=QUEUED,
        answered=statuses[201],
        refused=statuses[503] + statuses[429],
        hung=QUEUED - sum(statuses.values()),
        cut_off=statuses[None],
        rss_mib_before=memory.before,
        rss_mib_peak=memory.peak,
        rss_mib_after=memory.after,
    )
    assert set(statuses) <= {201, 503, 429}
    assert jobs["pending"] == statuses[201]
    assert memory.after - memory.before <= 32 + statuses[201] * 2 / 1024, "memory did not come back"
