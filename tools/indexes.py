"""Compares the indexes that grew with the folding against ones built anew from the tables.

They must be the same: nothing derived may hold a fact of its own. Nothing here prints.
"""

from collections.abc import Iterator

from projections import bounds
from projections.agenda import Agenda
from projections.columns import GONE, Columns
from projections.lifecycle import Status
from projections.shelf import Shelf
from projections.state import State

_FOR_EVER_US = 1 << 62
_MINUTES_COMPARED = 24 * 60


def differences(folded: State) -> list[str]:
    """Name every index in which the folded state differs from a rebuilt one."""
    return list(_compare(folded, State(folded.tables)))


def _compare(folded: State, rebuilt: State) -> Iterator[str]:
    compared = {
        "queues with jobs": (_places(folded), _places(rebuilt)),
        "idempotency keys": (folded.idempotency, rebuilt.idempotency),
        "jobs that wait for a parent": (folded.dependants, rebuilt.dependants),
        "tags": (_tags(folded), _tags(rebuilt)),
        "columns": (_rows(folded.columns), _rows(rebuilt.columns)),
        "API keys by hash": (folded.keys_by_hash, rebuilt.keys_by_hash),
        "finished jobs": (list(folded.finished.in_order()), list(rebuilt.finished.in_order())),
        "agenda": (_agenda(folded.agenda), _agenda(rebuilt.agenda)),
    }
    yield from (name for name, (one, other) in compared.items() if one != other)
    for org, shelves in folded.shelves.items():
        for name, shelf in shelves.items():
            other_shelf = rebuilt.shelf(org, name)
            since = folded.tables.at // bounds.MINUTE_US - _MINUTES_COMPARED
            differing = _compare_shelf(shelf, other_shelf, since)
            yield from (f"{what} of queue {name}" for what in differing)


def _places(state: State) -> set[tuple[str, str]]:
    return {(org, name) for org, shelves in state.shelves.items() for name in shelves}


def _tags(state: State) -> dict[tuple[str, str], list[int]]:
    return {word: list(tagged.live(state.columns)) for word, tagged in state.tags.items()}


def _rows(columns: Columns) -> list[tuple[object, ...]]:
    """Give the row of every job, with texts in place of numbers that depend on history."""
    found: list[tuple[object, ...]] = []
    for number in sorted(columns.chunks):
        chunk = columns.chunks[number]
        for row, code in enumerate(chunk.status):
            if code != GONE:
                found.append(
                    (
                        chunk.base + row if chunk.seqs is None else chunk.seqs[row],
                        code,
                        chunk.priority[row],
                        chunk.retry_count[row],
                        chunk.error[row],
                        chunk.created_at[row],
                        chunk.updated_at[row],
                        chunk.scheduled_at[row],
                        chunk.completed_at[row],
                        columns.queues.texts[chunk.queue[row]],
                        columns.kinds.texts[chunk.kind[row]],
                    )
                )
    return found


def _compare_shelf(folded: Shelf, rebuilt: Shelf, since: int) -> Iterator[str]:
    for status in Status:
        if folded.by_status[status] != rebuilt.by_status[status]:
            yield f"{status} jobs"
    if list(folded.ready.in_order()) != list(rebuilt.ready.in_order()):
        yield "ready order"
    if folded.oldest_waiting() is not rebuilt.oldest_waiting():
        yield "oldest waiting job"
    if folded.longest_ready() is not rebuilt.longest_ready():
        yield "longest ready job"
    if _minutes(folded, since) != _minutes(rebuilt, since):
        yield "outcomes by minute"


def _minutes(shelf: Shelf, since: int) -> dict[int, tuple[int, int, int, int]]:
    found = {
        minute: (outcomes.created, outcomes.completed, outcomes.failed, outcomes.processing_us)
        for minute, outcomes in shelf.minutes.items()
        if minute > since  # older ones are dropped in time
    }
    # A minute whose jobs were all revived counts nothing, as one that was never counted.
    return {minute: counts for minute, counts in found.items() if any(counts)}


def _agenda(agenda: Agenda) -> list[tuple[str, str]]:
    return list(agenda.due(_FOR_EVER_US))
