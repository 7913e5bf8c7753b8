"""Crowds of clients around few jobs, a kill in the middle: is each job's history linearizable?

The histories hold what clients asked and were told, nothing of the log. Those without an answer
(hung up, or the server died) may have happened or not.
"""

import asyncio
import time
from pathlib import Path
from random import Random
from typing import Final

from tests.faults.figures import report
from tests.faults.real.client import connected
from tests.faults.real.crowd import Crowd
from tests.faults.real.ledger import Ledger
from tests.faults.real.linear import linearizable
from tests.faults.real.order import overtakings
from tests.faults.real.size import LONG, seed
from tests.faults.real.stage import Stage, stage

ROUNDS: Final = 40 if LONG else 1
_CROWDS: Final = 10
_TURNS: Final = 14
_LEASE_OVER_SECS: Final = 5.1


async def test_every_history_is_linearizable(tmp_path: Path, ledger: Ledger) -> None:
    random = Random(seed("linearizable"))
    crowds: list[Crowd] = []
    with stage(tmp_path / "data", "--retry-base-secs", "0") as server:
        for number in range(ROUNDS):
            mine = [Crowd(f"q{number}-{index}", random) for index in range(_CROWDS)]
            crowds += mine
            await _round(server, ledger, mine, random)
    histories = [ops for crowd in crowds for ops in crowd.histories().values()]
    began = time.monotonic()
    verdicts = [linearizable(ops) for ops in histories]
    report(
        "real_linearizable",
        histories=len(histories),
        operations=sum(map(len, histories)),
        longest=max(map(len, histories)),
        unknown=sum(op.outcome == "unknown" for op in ledger.ops),
        rejected=verdicts.count(False),
        undecided=verdicts.count(None),
        search_secs=round(time.monotonic() - began, 1),
    )
    assert [ops for ops, verdict in zip(histories, verdicts, strict=True) if not verdict] == []
    assert [found for crowd in crowds for found in overtakings(crowd.ops)] == []
    for kind in ("claim", "complete", "heartbeat", "fail"):
        assert any(op.kind == kind and op.ok for op in ledger.ops), f"no {kind} was accepted"
    assert any(op.kind == "complete" and op.outcome == "fail" for op in ledger.ops)


async def _round(server: Stage, ledger: Ledger, crowds: list[Crowd], random: Random) -> None:
    server.start()
    async with connected(server.url, ledger) as client:
        playing = asyncio.gather(*(crowd.play(client, 1_000) for crowd in crowds))
        await asyncio.wait([playing], timeout=random.uniform(0.3, 0.8))
        server.kill()
        playing.cancel()
        await asyncio.wait([playing])
    server.start()
    async with connected(server.url, ledger) as client:
        await asyncio.gather(*(crowd.play(client, _TURNS) for crowd in crowds))
        await asyncio.sleep(_LEASE_OVER_SECS)
        await asyncio.gather(*(crowd.play(client, _TURNS) for crowd in crowds))
    server.kill()
