"""From the newest snapshot that can be used to a state. The records behind it are the caller's.

What a snapshot holds is compared with the log it belongs to: it must end where a segment ends, with
the hash chain that the log has there. Only reads; nothing is printed.
"""

from collections.abc import Callable

from msgspec import Struct

from eventlog import (
    LogDamaged,
    LogError,
    Snapshot,
    SnapshotDamaged,
    SnapshotStore,
    newest_sound,
)
from projections.snapshot import SnapshotUnreadable, load
from projections.state import State

_HINT = "Restore the log from a backup; nothing was changed."


class Restored(Struct, frozen=True):
    """A state to go on from: of `snapshot`, or empty. `passed_over` tells of those left aside."""

    state: State
    snapshot: Snapshot | None
    passed_over: list[str]


def newest(
    store: SnapshotStore,
    state_after: Callable[[int], str | None],
    *,
    last: int,
    upto: int | None = None,
    since: int = 0,
) -> Restored:
    """Load the newest snapshot that is sound and readable, not behind `upto` nor before `since`.

    `last` is the last position of the log, and `state_after` gives its hash chain between segments.

    Raises:
        LogDamaged: a sound snapshot holds records that the log does not, or others.

    """
    passed_over: list[str] = []

    def on_damaged(damaged: LogError) -> None:
        passed_over.append(str(damaged))

    for snapshot in newest_sound(store, on_damaged, upto=upto):
        if snapshot.position < since:
            break
        _check_history(snapshot, state_after, last)
        try:
            tables = load(store.lines(snapshot))
        except (SnapshotUnreadable, SnapshotDamaged) as unreadable:  # pruned meanwhile
            passed_over.append(f"the snapshot {snapshot.path} cannot be used: {unreadable}")
            continue
        return Restored(State(tables), snapshot, passed_over)
    return Restored(State(), None, passed_over)


def _check_history(snapshot: Snapshot, state_after: Callable[[int], str | None], last: int) -> None:
    """Refuse to go on where a snapshot proves that the log is not what it was."""
    position = snapshot.position
    if position > last:
        reason = f"the log ends at {last}, but this snapshot was made of all up to {position}"
        raise LogDamaged(snapshot.path, 0, 1, last + 1, reason, hint=_HINT)
    state = state_after(position)
    if state != snapshot.head.state:
        reason = "the snapshot was made of another history than the log tells"
        raise LogDamaged(snapshot.path, 0, 1, position, reason, hint=_HINT)
