"""Compares the indexes that grew with the folding against ones built anew from the tables.

They must be the same: nothing derived may hold a fact of its own. Nothing here prints.
"""

from collections.abc import Iterator

from projections.agenda import Agenda
from projections.lifecycle import Status
from projections.shelf import Shelf
from projections.state import State

_FOR_EVER_US = 1 << 62


def differences(folded: State) -> list[str]:
    """Name every index in which the folded state differs from a rebuilt one."""
    return list(_compare(folded, State(folded.tables)))


def _compare(folded: State, rebuilt: State) -> Iterator[str]:
    if folded.idempotency != rebuilt.idempotency:
        yield "idempotency keys"
    if folded.dependants != rebuilt.dependants:
        yield "jobs that wait for a parent"
    if {word: jobs for word, jobs in folded.tags.items() if jobs} != rebuilt.tags:
        yield "tags"
    if folded.keys_by_hash != rebuilt.keys_by_hash:
        yield "API keys by hash"
    if _agenda(folded.agenda) != _agenda(rebuilt.agenda):
        yield "agenda"
    for org, shelves in folded.shelves.items():
        for name, shelf in shelves.items():
            other = rebuilt.shelf(org, name)
            yield from (f"{what} of queue {name}" for what in _compare_shelf(shelf, other))


def _compare_shelf(folded: Shelf, rebuilt: Shelf) -> Iterator[str]:
    for status in Status:
        if folded.by_status[status] != rebuilt.by_status[status]:
            yield f"{status} jobs"
    if list(folded.ready.in_order()) != list(rebuilt.ready.in_order()):
        yield "ready order"
    if folded.oldest_waiting() is not rebuilt.oldest_waiting():
        yield "oldest waiting job"
    if _minutes(folded) != _minutes(rebuilt):
        yield "outcomes by minute"


def _minutes(shelf: Shelf) -> dict[int, tuple[int, int, int]]:
    found = {
        minute: (outcomes.completed, outcomes.failed, outcomes.processing_us)
        for minute, outcomes in shelf.minutes.items()
    }
    # A minute whose jobs were all revived counts nothing, as one that was never counted.
    return {minute: counts for minute, counts in found.items() if any(counts)}


def _agenda(agenda: Agenda) -> list[tuple[str, str]]:
    return list(agenda.due(_FOR_EVER_US))
