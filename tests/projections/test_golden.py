"""Logs of each vocabulary, with every event of theirs, read by today's code. Never edited."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from eventlog import Reader, verify
from projections.events import Event, decode
from projections.fold import refold
from projections.state import State
from tests.golden.facts import facts
from tests.golden.facts_v2 import facts_v2
from tests.golden.facts_v3 import facts_v3
from tests.golden.facts_v4 import facts_v4
from tools.indexes import differences

GOLDEN = Path(__file__).parents[1] / "golden"

# Later events do not belong here: this is what the first golden log was written with.
EVENTS_OF_VOCABULARY_1 = {
    "job.created",
    "job.claimed",
    "job.completed",
    "job.failed",
    "job.lease_extended",
    "job.lease_expired",
    "job.due",
    "job.expired",
    "job.cancelled",
    "job.retried",
    "job.priority_changed",
    "job.settlement_refused",
    "queue.created",
    "queue.configured",
    "queue.paused",
    "queue.resumed",
    "worker.registered",
    "worker.heartbeat",
    "worker.deregistered",
    "worker.lost",
    "key.created",
    "key.revoked",
    "server.started",
}

EVENTS_OF_VOCABULARY_2 = {
    "job.cancel_requested",
    "job.unblocked",
    "job.released",
    "job.deleted",
    "queue.deleted",
    "bulk.applied",
}

EVENTS_OF_VOCABULARY_3 = {"job.retired"}

EVENTS_OF_VOCABULARY_4 = {"job.restored", "job.reverted", "queue.restored", "undo.applied"}


@pytest.mark.parametrize(
    ("version", "add_up", "events"),
    [
        (1, facts, EVENTS_OF_VOCABULARY_1),
        (2, facts_v2, EVENTS_OF_VOCABULARY_2),
        (3, facts_v3, EVENTS_OF_VOCABULARY_3),
        (4, facts_v4, EVENTS_OF_VOCABULARY_4),
    ],
)
def test_a_vocabulary_still_means_what_it_meant(
    version: int, add_up: Callable[[State], dict[str, Any]], events: set[str]
) -> None:
    golden = GOLDEN / f"events-v{version}"
    assert verify(golden).segments > 1
    state = State()
    seen: set[str] = set()
    for batch in Reader(golden).entries():
        for position, body in batch:
            record = decode(position, body)
            assert body.startswith(b'{"v":%d,' % version)
            seen |= {str(event.__struct_config__.tag) for event in record.events}
            refold(state, record)
    assert add_up(state) == json.loads((golden / "facts.json").read_text())
    assert seen >= events
    assert differences(state) == []


def test_every_event_is_in_the_golden_log_of_some_vocabulary() -> None:
    tags = {kind.__struct_config__.tag for kind in get_args(Event)}
    assert tags == set().union(
        EVENTS_OF_VOCABULARY_1,
        EVENTS_OF_VOCABULARY_2,
        EVENTS_OF_VOCABULARY_3,
        EVENTS_OF_VOCABULARY_4,
    )
