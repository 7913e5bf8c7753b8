"""Every condition the log can end in, one class each; the docstring is the default message.

Nothing here decides what to do about it: a damaged log is the operator's, a failed one the
process's end, an out-of-order append the caller's mistake. A name says the condition, without the
suffix Error, as it stands in `except` lines.
"""

import os
from pathlib import Path


class LogError(Exception):
    """The log cannot do what was asked."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


class OutOfOrder(LogError):
    """A position is not the next one, or was never appended."""


class BodyRefused(LogError):
    """A body holds a NUL or a newline, which a line of the log cannot carry."""


class LogClosed(LogError):
    """The log takes no records: it is closed, or `begin` has not made this process its writer."""


class LogExpired(LogError):
    """Records that were asked for were removed from the beginning of the log, on demand."""

    def __init__(self, first: int) -> None:
        self.first = first
        """the first position that is there"""
        super().__init__(f"records before {first} have expired; the log begins there")


class NotCovered(LogError):
    """Records may not expire that no snapshot covers: without them nothing could be restored."""

    def __init__(self, last: int, covered: int) -> None:
        self.last = last
        self.covered = covered
        known = f"verified snapshots cover records up to {covered}" if covered else "there are none"
        super().__init__(
            f"records up to {last} may expire only when verified snapshots cover them: {known}."
            " Nothing was removed"
        )


class Locked(LogError):
    """Another process is the writer of this data directory."""

    def __init__(self, directory: Path, holder: str) -> None:
        self.directory = directory
        self.holder = holder
        super().__init__(f"{directory} is in use by another process ({holder or 'unknown'})")


class BackupRefused(LogError):
    """The directory cannot take a backup of this log without losing what it holds."""


class ForkRefused(LogError):
    """No fork of the log can be made in this directory, or of this position; nothing was changed."""


class HashesMissing(LogError):
    """Hashes of records that have expired are needed, and were not kept."""

    def __init__(self, first: int, last: int) -> None:
        self.first = first
        self.last = last
        super().__init__(
            f"the hashes of records {first} to {last}, which have expired, are needed for this and"
            " are not in the file TREE, or not whole; a backup may have a TREE that holds them"
        )


class TreeRefuted(LogError):
    """The file TREE tells other hashes than the records have; it was changed by somebody."""


class CheckpointRefused(LogError):
    """No checkpoint, key or proof can be read there, or it is not what it should be."""


class CheckpointDiffers(LogError):
    """The log is no extension of the one that a checkpoint was made of."""


class RepairRefused(LogError):
    """The log is not damaged there, or no cut would cure it; nothing was changed."""


class SnapshotDamaged(LogError):
    """A snapshot is not what was written; the one before it, or the log itself, tells the same."""

    def __init__(self, file: Path, reason: str) -> None:
        self.file = file
        self.reason = reason
        super().__init__(f"the snapshot {file} cannot be used: {reason}")


class LogFailed(LogError):
    """A write or a sync failed: nothing more can be made durable by this process."""

    def __init__(self, errno: int, segment: Path) -> None:
        self.errno = errno
        self.segment = segment
        super().__init__(f"writing {segment} failed: {os.strerror(errno)} (errno {errno})")


RESTORE = (
    "Restore the file from a backup, or ask `spoolog log repair` what would help;"
    " nothing was changed."
)


class LogDamaged(LogError):
    """What is stored is not what was written, and it is more than an unfinished last write."""

    def __init__(
        self,
        file: Path,
        offset: int,
        line: int,
        position: int,
        reason: str,
        *,
        last_good: str = "",
        hint: str = RESTORE,
    ) -> None:
        self.file = file
        self.offset = offset
        self.line = line
        self.position = position
        self.reason = reason
        self.last_good = last_good
        self.hint = hint
        what = f"record {position}" if position else "the file"
        text = f"{file} byte {offset} (line {line}): {what} is damaged: {reason}"
        if last_good:
            text += f"\n  last good record: {last_good}"
        super().__init__(f"{text}\n  {hint}")


class OtherHistory(LogDamaged):
    """The durable mark tells of another history than the segments do."""
