"""Creating jobs over HTTP, durably, beside an echo without a queue: what share of its rate is left.

Both servers live for the whole measurement and are loaded in turn, in short rounds, so that a noisy
moment of the machine meets both.
"""

import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import json

from tools.bench.load import Load, Loaded
from tools.bench.report import Figure
from tools.children import running, serving
from tools.output import Problem, progress

TARGET_RATIO: Final = 0.5
BODY_BYTES: Final = 200
_KEY: Final = "sp_live_a-key-for-this-measurement-only"
_WARM_UP_SECS: Final = 1.0
_PATIENCE_SECS: Final = 60


def body() -> str:
    """Give a request of exactly `BODY_BYTES` that creates a job."""
    frame = '{"queue_name":"bench","payload":{"to":"someone@example.com","text":"%s"}}'
    return frame % ("x" * (BODY_BYTES - len(frame) + 2))


def measure(seconds: float, connections: int, rounds: int) -> Figure:
    """Load both in turn and compare the sums."""
    with (
        tempfile.TemporaryDirectory(prefix="spoolog-bench-") as folder,
        running("tools.bench.bare", stdin=True) as bare,
        serving(Path(folder) / "data", _KEY, "--sync", "always") as server,
    ):
        targets = {
            "echo": _load(bare.listening_url(), "/echo", {}, connections),
            "create": _load(
                server.listening_url(),
                "/api/v1/jobs",
                {"Authorization": f"Bearer {_KEY}"},
                connections,
            ),
        }
        results: dict[str, list[Loaded]] = {"echo": [], "create": []}
        with progress("loading", rounds * 2) as advance:
            for name, load in targets.items():
                _run(name, load, _WARM_UP_SECS)
            for index in range(rounds * 2):
                name = ("echo", "create")[index % 2]
                results[name].append(_run(name, targets[name], seconds))
                advance(index + 1, None)
    return _figure(results, seconds, connections, rounds)


def _load(url: str, path: str, headers: dict[str, str], connections: int) -> Load:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return Load(parts.hostname, parts.port, path, body(), headers, connections, seconds=1)


def _run(name: str, load: Load, seconds: float) -> Loaded:
    asked = json.encode(
        Load(load.host, load.port, load.path, load.body, load.headers, load.connections, seconds)
    )
    with running("tools.bench.load", stdin=True) as child:
        loaded = json.decode(child.output(asked, seconds + _PATIENCE_SECS), type=Loaded)
    if loaded.failures:
        raise Problem(f"{loaded.failures} requests of {name} failed; the first: {loaded.failure}")
    return loaded


def _figure(
    results: dict[str, list[Loaded]], seconds: float, connections: int, rounds: int
) -> Figure:
    rates = {
        name: sum(one.requests for one in found) / sum(one.seconds for one in found)
        for name, found in results.items()
    }
    details: dict[str, object] = {
        "connections": connections,
        "rounds": f"{rounds} of {seconds:g} s each, in turn",
        "echo per second (aiohttp alone)": round(rates["echo"]),
        "creates per second (--sync always)": round(rates["create"]),
        "create rates by round": ", ".join(f"{one.per_second:,.0f}" for one in results["create"]),
        "create p50 ms (worst round)": max(one.p50_ms for one in results["create"]),
        "create p99 ms (worst round)": max(one.p99_ms for one in results["create"]),
        "create max ms": max(one.max_ms for one in results["create"]),
    }
    return Figure(
        name="create rate / aiohttp echo rate",
        value=round(rates["create"] / rates["echo"], 3),
        unit="ratio",
        target=TARGET_RATIO,
        better="more",
        command=f"spoolog bench create --seconds {seconds:g} --connections {connections}"
        f" --rounds {rounds}",
        details=details,
    )
