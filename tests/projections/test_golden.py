"""A log of the first vocabulary, with every event in it, read by today's code. Never edited."""

import json
from pathlib import Path
from typing import get_args

from eventlog import Reader, verify
from projections.events import Event, decode
from projections.fold import fold
from projections.state import State
from tests.golden.facts import facts

GOLDEN = Path(__file__).parents[1] / "golden" / "events-v1"


def test_the_first_vocabulary_still_means_what_it_meant() -> None:
    assert verify(GOLDEN).segments > 1
    state = State()
    seen: set[type] = set()
    for batch in Reader(GOLDEN).entries():
        for position, body in batch:
            record = decode(position, body)
            seen |= {type(event) for event in record.events}
            fold(state, record)
    assert facts(state) == json.loads((GOLDEN / "facts.json").read_text())
    assert seen >= EVENTS_OF_VOCABULARY_1


# Later events do not belong here: this is what the golden log was written with.
EVENTS_OF_VOCABULARY_1 = {
    kind
    for kind in get_args(Event)
    if kind.__struct_config__.tag
    in [
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
    ]
}
