from errno import ENOSPC
from pathlib import Path

import pytest

from eventlog import BodyRefused, Locked, LogClosed, LogDamaged, LogError, LogFailed, OutOfOrder

FILE = Path("/data/log/00000000000000000001.log")


@pytest.mark.parametrize("kind", [LogError, OutOfOrder, BodyRefused, LogClosed])
def test_docstring_is_the_default_message(kind: type[LogError]) -> None:
    assert str(kind()) == kind.__doc__
    assert str(kind("another")) == "another"
    assert issubclass(kind, LogError)


def test_damage_names_file_byte_line_and_record() -> None:
    damage = LogDamaged(FILE, 8123, 27, 215027, "why", last_good="215026 at byte 7811", hint="Do.")
    assert str(damage) == (
        f"{FILE} byte 8123 (line 27): record 215027 is damaged: why\n"
        "  last good record: 215026 at byte 7811\n"
        "  Do."
    )
    assert (damage.file, damage.offset, damage.line) == (FILE, 8123, 27)
    assert (damage.position, damage.reason, damage.hint) == (215027, "why", "Do.")


def test_failure_names_segment_and_error() -> None:
    assert str(LogFailed(ENOSPC, FILE)) == (
        f"writing {FILE} failed: No space left on device (errno {ENOSPC})"
    )


def test_lock_names_the_holder() -> None:
    assert "pid 7" in str(Locked(Path("/data"), "pid 7"))
    assert "unknown" in str(Locked(Path("/data"), ""))
