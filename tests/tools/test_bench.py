import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventlog import Reader, SnapshotStore, verify
from projections.digest import digest
from projections.queries import jobs as queries
from spoolog import History, event_type, fold_log
from tests.tools.workbench import spoolog
from tools.bench import claim, crc, create, dashboards, lists, memory, read, replay, restart
from tools.bench.load import Load, make_load
from tools.bench.pace import NotKept, Pace, keep
from tools.bench.report import Figure, tell
from tools.bench.screens import SCREENS
from tools.bench.workload import write_log
from tools.children import running
from tools.output import Problem


def test_figures_know_whether_their_target_is_reached(capsys: pytest.CaptureFixture[str]) -> None:
    more = Figure("rate", 5.0, "x/s", 4.0, "more", "spoolog bench rate")
    less = Figure("size", 5.0, "KB", 4.0, "less", "spoolog bench size")
    assert (more.reached, less.reached) == (True, False)
    tell([more], as_json=True)
    assert json.loads(capsys.readouterr().out)[0]["reached"] is True
    with pytest.raises(Problem, match="target missed: size"):
        tell([more, less], as_json=False)
    table = capsys.readouterr().out
    assert "pass" in table
    assert "FAIL" in table
    assert "spoolog bench size" in table


async def test_workload_is_a_sound_log_and_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert await write_log(tmp_path / name, 500, lambda done, of: None) >= 500
    one, two = verify(tmp_path / "a"), verify(tmp_path / "b")
    assert one.chain_hex == two.chain_hex


def generate(data_dir: Path, *options: object) -> dict[str, Any]:
    result = spoolog("bench", "gen", "--data-dir", data_dir, "--json", *options)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def test_generated_traffic_is_whole_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    made = [
        generate(tmp_path / name, "--events", 20_000, "--seed", seed, "--snapshots", 2)
        for name, seed in (("a", 7), ("b", 7), ("c", 8))
    ]
    chains = [verify(tmp_path / name).chain_hex for name in "abc"]
    assert chains[0] == chains[1] != chains[2]
    assert (made[0]["events"], made[0]["records"]) == (made[1]["events"], made[1]["records"])
    history = History(Reader(tmp_path / "a"))
    kinds = Counter(event_type(fact.event) for fact in history.events())
    assert sum(kinds.values()) == made[0]["events"] >= 20_000
    assert {"job.failed", "job.due", "job.lease_extended", "worker.heartbeat"} <= set(kinds)
    folded = fold_log(history.reader)
    assert digest(folded.state) == digest(history.state())
    assert len(SnapshotStore(history.data_dir, history.cluster).positions()) == 2


def test_generating_touches_nothing_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    result = spoolog("bench", "gen", "--data-dir", tmp_path, "--events", 10)
    assert (result.exit_code, [path.name for path in tmp_path.iterdir()]) == (2, ["mine"])


def test_reading_is_measured_in_processes_of_its_own(tmp_path: Path) -> None:
    made = generate(tmp_path, "--events", 5_000)
    verified, passed_over, state, peak = read.measure(tmp_path)
    assert verified.details["log bytes"] == sum(
        path.stat().st_size for path in (tmp_path / "log").iterdir()
    )
    assert passed_over.details["events"] == made["events"]
    assert min(verified.value, passed_over.value, state.value) > 0
    assert peak.value > 10  # and no less than this process has


def test_the_least_that_reading_costs_is_that_of_compressed_segments_as_well(
    tmp_path: Path,
) -> None:
    generate(tmp_path, "--events", 5_000)
    plain = crc.read(tmp_path)
    assert spoolog("log", "compress", "--keep", 0, "--data-dir", tmp_path).exit_code == 0
    assert ".zst" in {path.suffix for path in (tmp_path / "log").iterdir()}
    packed = crc.read(tmp_path)
    assert (plain.bytes, plain.lines) == (packed.bytes, packed.lines)


def test_replay_measures_events() -> None:
    figure = replay.measure(300)
    assert figure.details["records"] == 300
    assert figure.value > 0
    assert figure.unit == "events/s"


def test_restart_compares_a_snapshot_with_the_log() -> None:
    figure = restart.measure(2_000)
    assert figure.unit == "ratio"
    assert 0 < figure.value < 100
    assert figure.details["records"] == 2_000
    assert figure.details["jobs"] > 500


def test_memory_is_measured_in_a_process_of_its_own() -> None:
    figure = memory.measure(20_000)
    assert 0.2 < figure.value < 10
    assert figure.details["jobs"] == 20_000


def test_claims_leave_both_queues_as_long_as_they_were() -> None:
    figure = claim.measure(1_000, 20)
    assert figure.unit == "ratio"
    assert figure.value > 0
    assert figure.details["claims of each"] == 20


def test_lists_ask_by_every_order_and_tell_of_each_question() -> None:
    slowest, longest_block = lists.measure(1_000, 10)
    assert slowest.value > 0
    assert longest_block.value > 0
    for order in queries.ORDERS - {"created_at"}:
        assert {f"by {order}, asc", f"by {order}, desc"} <= set(slowest.details)
    assert "a payload that is nowhere" in slowest.details


def test_create_is_compared_with_an_echo() -> None:
    assert len(create.body()) == create.BODY_BYTES
    json.loads(create.body())
    figure = create.measure(0.3, 4, 1)
    assert figure.value > 0
    assert figure.details["connections"] == 4


def test_dashboards_are_opened_on_a_server_under_load() -> None:
    asked = dashboards.Asked(2_000, events_per_sec=60, dashboards=2, seconds=0.2, rounds=2)
    overview, other = dashboards.measure(asked)
    assert (overview.unit, overview.target, other.target) == ("%", 5.0, 5.0)
    assert "--jobs 2000" in overview.command
    assert overview.details["events per second"] in range(30, 90)
    for screen in SCREENS:
        assert not str(overview.details[f"{screen}: loads"]).startswith("none")
    assert "overview" in overview.name
    assert any(screen in other.name for screen in SCREENS)
    assert "--screen" not in overview.command
    some = msgspec.structs.replace(asked, screens=("log", "job"))
    assert some.command.endswith("--rounds 2 --screen log --screen job")


async def test_a_pace_that_is_refused_is_no_pace() -> None:
    with running("tools.bench.bare", stdin=True) as bare:
        url = await asyncio.to_thread(bare.listening_url)
        pace = Pace("127.0.0.1", int(url.rpartition(":")[2]), "key", ["queue"], 300)
        with pytest.raises(NotKept, match="404"):
            await keep(pace, asyncio.Event())
        with pytest.raises(ValueError, match="not a loopback address"):
            await keep(msgspec.structs.replace(pace, host="192.0.2.1"), asyncio.Event())


def a_load(url: str, path: str = "/echo", **fields: object) -> Load:
    host, _, port = url.removeprefix("http://").partition(":")
    options = {"connections": 3, "seconds": 20.0, "requests": 10} | fields
    return Load(host, int(port), path, '{"a":1}', {}, **options)  # type: ignore[arg-type]


async def test_load_stops_at_its_budget_and_counts_failures() -> None:
    with running("tools.bench.bare", stdin=True) as bare:
        url = await asyncio.to_thread(bare.listening_url)
        good = await make_load(a_load(url))
        assert (good.requests, good.failures, good.failure) == (10, 0, None)
        assert 0 < good.p50_ms <= good.p99_ms <= good.max_ms
        bad = await make_load(a_load(url, "/nowhere"))
        assert bad.failures == 10
        assert bad.failure is not None
        assert "404" in bad.failure
        timed = await make_load(a_load(url, seconds=0.2, requests=None))
        assert timed.failures == 0


async def test_load_is_for_this_machine_only() -> None:
    with pytest.raises(ValueError, match="not a loopback address"):
        await make_load(a_load("http://192.0.2.1:80"))


async def test_lost_connections_are_failures() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    loaded = await make_load(a_load(f"http://127.0.0.1:{port}"))
    server.close()
    await server.wait_closed()
    assert loaded.requests == 0
    assert loaded.failures == 3
    assert "connection lost" in str(loaded.failure)


def test_missed_target_exits_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "TARGET_EVENTS_PER_SECOND", 10**12)
    result = spoolog("bench", "replay", "--events", 100, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)[0]["reached"] is False
