"""The file ``repairs.log``: every record that an operator gave up, for good.

Text, one JSON line a repair, oldest first. A line is written before anything is cut.
"""

from datetime import UTC, datetime
from typing import Literal

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
    """of the first record that was cut; of the first that was kept, where history was dropped"""
    records: int
    """how many were given up"""
    bytes: int
    chain: str
    """of the record before `position`"""
    mark_position: int
    mark_chain: str
    reason: str
    damage: str
    user: str
    files: list[Quarantined]
    kind: Literal["cut", "drop"] = "cut"

    def __str__(self) -> str:  # type: ignore[explicit-override]  # needs Python 3.12
        """Say it in one sentence."""
        why = f": {self.reason}" if self.reason else ""
        if self.kind == "drop":
            what = f"{self.records} records before {self.position} (history only)"
            return f"{what}, dropped {self.at} by {self.user}{why}"
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


def note_once(disk: Disk, home: Home, repair: Repair) -> Repair:
    """Add a repair, durably, unless it is the last one, which was interrupted; give the one noted."""
    noted = repairs(disk, home)
    if noted and _goes_on(noted[-1], repair):
        return noted[-1]
    before = chunks_of(disk, home.repairs) if noted else ()
    put(disk, home.repairs, [*before, json.encode(repair) + b"\n"])
    return repair


def _goes_on(earlier: Repair, repair: Repair) -> bool:
    """Tell whether the damage is what an interrupted repair has left."""
    same = ("kind", "position", "chain", "mark_position", "mark_chain")
    known = {(file.source, file.offset, file.sha256) for file in earlier.files}
    return all(getattr(earlier, name) == getattr(repair, name) for name in same) and all(
        (file.source, file.offset, file.sha256) in known for file in repair.files
    )
