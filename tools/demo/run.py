"""The two runs of the demo: undisturbed, and with the server killed when half is done."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, json

from server.clock import monotonic_us
from tools.children import Child, elapsed_secs, serving, verb
from tools.demo import check, stage
from tools.demo.files import Measured
from tools.demo.worker import client
from tools.options import ENV_PREFIX
from tools.output import Problem


class Plan(Struct, frozen=True):
    """What both runs work on."""

    folder: Path
    expected: dict[str, Measured]
    workers: int

    @property
    def paths(self) -> list[str]:
        """The files, in order."""
        return list(self.expected)


def undisturbed(plan: Plan, home: Path) -> dict[str, Any]:
    """Enqueue, process, read back."""
    data_dir = home / "data"
    total = len(plan.paths)
    with serving(data_dir, stage.API_KEY, *stage.SERVER_OPTIONS) as server:
        url = server.listening_url()
        with client(url, stage.API_KEY) as api:
            enqueued = stage.enqueue(api, plan.paths)
            began_us = monotonic_us()
            with stage.workers(url, plan.folder, home, plan.workers) as workers:
                stage.wait_completed(lambda: _completed(api), total, total, [server, *workers])
                seconds = elapsed_secs(began_us)
                stage.finish(workers)
            outcome = check.read_back(api, enqueued.ids, plan.expected)
    return _sizes(plan.expected) | {
        "failed and retried": outcome.retried,
        "enqueued a second": round(total / enqueued.seconds),
        "processed a second": round(total / seconds, 1),
        "mismatches": outcome.mismatches,
        "mismatching files": _all_of(outcome),
    }


def with_a_crash(plan: Plan, home: Path) -> dict[str, Any]:
    """Enqueue, process half, kill the server, start it again on the same data, finish, compare."""
    data_dir = home / "data"
    total = len(plan.paths)
    half = max(1, total // 2)
    with serving(data_dir, stage.API_KEY, *stage.SERVER_OPTIONS) as victim:
        url = victim.listening_url()
        with client(url, stage.API_KEY) as api:
            enqueued = stage.enqueue(api, plan.paths)
            with stage.workers(url, plan.folder, home, plan.workers) as workers:
                stage.wait_completed(
                    lambda: _completed(api) if _all_known(api, plan.workers) else 0,
                    half,
                    total,
                    [victim, *workers],
                )
                victim.kill()
                before = len(stage.acknowledged(home))
                return _after_the_crash(
                    plan, home=home, url=url, workers=workers, enqueued=enqueued, before=before
                )


def _after_the_crash(
    plan: Plan,
    *,
    home: Path,
    url: str,
    workers: list[Child],
    enqueued: stage.Enqueued,
    before: int,
) -> dict[str, Any]:
    data_dir = home / "data"
    total = len(plan.paths)
    port = int(url.rpartition(":")[2])
    began_us = monotonic_us()
    again = serving(data_dir, stage.API_KEY, *stage.SERVER_OPTIONS, port=port)
    with again as server, client(url, stage.API_KEY) as api:
        server.listening_url()
        restart_secs = elapsed_secs(began_us)
        repeated = stage.enqueue(api, plan.paths)
        stage.wait_completed(lambda: _completed(api), total, total, [server, *workers])
        stage.finish(workers)
        outcome = check.read_back(api, enqueued.ids, plan.expected)
        acknowledged = stage.acknowledged(home)
        outcome.lost = check.missing(acknowledged, api)
        jobs = api.jobs.get_stats()
        agreed = _replay_agrees(data_dir, url)
    extra = jobs.total - total + repeated.created + (repeated.ids != enqueued.ids)
    return {
        "files": total,
        "completions acknowledged before SIGKILL": before,
        "seconds until it served again": round(restart_secs, 2),
        "jobs created by enqueueing all again": repeated.created,
        "jobs in all": jobs.total,
        "jobs completed": jobs.completed,
        "failed or timed out, and retried": outcome.retried,
        "completions acknowledged": len(acknowledged),
        "acknowledged completions missing": len(outcome.lost),
        "spoolog log verify": _verified(data_dir),
        "spoolog replay --check --url": agreed,
        "mismatches": outcome.mismatches + abs(extra) + (agreed != "the same digest"),
        "mismatching files": _all_of(outcome),
    }


def _all_known(api: Any, count: int) -> bool:
    """Whether every worker has registered: the SDK tries that only once, so the crash comes later."""
    return len(api.workers.list()) >= count


def _completed(api: Any) -> int:
    completed = api.jobs.get_stats().completed
    assert isinstance(completed, int)
    return completed


def _verified(data_dir: Path) -> str:
    found = json.decode(verb("log", "verify", "--data-dir", str(data_dir), "--json"))
    return f"sound, {found['records']:,} records"


def _replay_agrees(data_dir: Path, url: str) -> str:
    args = ("replay", "--data-dir", str(data_dir), "--check", "--url", url, "--json")
    try:
        verb(*args, env={ENV_PREFIX + "API_KEY": stage.API_KEY})
    except Problem as different:
        return different.message
    return "the same digest"


def _sizes(expected: Mapping[str, Measured]) -> dict[str, Any]:
    measured = expected.values()
    return {
        "files": len(expected),
        "bytes": sum(one.bytes for one in measured),
        "lines": sum(one.lines for one in measured),
        "tokens": sum(one.tokens or 0 for one in measured),
        "files that are no Python": sum(one.tokens is None for one in measured),
    }


def _all_of(outcome: check.Outcome) -> list[str]:
    return [
        *outcome.wrong_results,
        *outcome.not_completed,
        *outcome.not_failed_once,
        *outcome.lost,
    ]
