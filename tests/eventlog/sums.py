"""Sound snapshots of small logs. What they hold is of no meaning here."""

from eventlog import SnapshotHead, SnapshotStore
from eventlog.directory import state_between, survey
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME


def add_snapshots(disk: MemoryDisk, *positions: int, state: str | None = None) -> None:
    """Make snapshots at these ends of segments, of the log or of another history."""
    store = SnapshotStore(HOME.directory, "c1", disk)
    segments = survey(disk, HOME, "c1")
    for position in positions:
        found = state or state_between(segments, position)
        assert found is not None
        head = SnapshotHead(
            format=1,
            position=position,
            state=found,
            digest="d",
            cluster="c1",
            created_at_us=1_795_461_256_000_000,
        )
        store.write(head, [b"line"], lambda lines: [*lines].clear())
