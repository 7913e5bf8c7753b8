"""The file ``repairs.log``: every record that an operator gave up, for good.

Text, one JSON line a repair, oldest first. A line is written before anything is cut.
"""

from datetime import UTC, datetime

from msgspec import MsgspecError, Struct, json

from eventlog.copy import chunks_of, put
from eventlog.directory import Home
from eventlog.disk import Disk
from eventlog.errors import LogDamaged


class Quarantined(Struct, frozen=True):
    """Bytes that were cut, and the file in ``quarantine/`` that holds them."""

    source: str
    """the file that they were cut from, its directory included"""
    offset: int
    bytes: int
    sha256: str
    file: str


class Repair(Struct, frozen=True):
    """One repair: what left the log, when, why, and who answers for it."""

    at: str
    position: int
    """of the first record that was cut"""
    records: int
    """from there to the last that is known to have been"""
    bytes: int
    chain: str
    """of the last record that was kept"""
    mark_position: int
    mark_chain: str
    reason: str
    damage: str
    user: str
    files: list[Quarantined]

    def __str__(self) -> str:  # type: ignore[explicit-override]  # needs Python 3.12
        """Say it in one sentence."""
        why = f": {self.reason}" if self.reason else ""
        return f"{self.records} records from {self.position} on, cut {self.at} by {self.user}{why}"


def moment(at_us: int) -> str:
    """Give a time as it stands in the file."""
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).isoformat()


def repairs(disk: Disk, home: Home) -> list[Repair]:
    """List the repairs that a log has been through, oldest first.

    Raises:
        LogDamaged: the file cannot be read.

    """
    if home.repairs.name not in disk.names(home.directory):
        return []
    try:
        lines = b"".join(chunks_of(disk, home.repairs)).splitlines()
        return [json.decode(line, type=Repair) for line in lines]
    except (MsgspecError, ValueError, RecursionError) as error:
        raise LogDamaged(home.repairs, 0, 1, 0, f"it cannot be read ({error})") from error


def note(disk: Disk, home: Home, repair: Repair) -> None:
    """Add a repair, durably."""
    before = chunks_of(disk, home.repairs) if repairs(disk, home) else ()
    put(disk, home.repairs, [*before, json.encode(repair) + b"\n"])
