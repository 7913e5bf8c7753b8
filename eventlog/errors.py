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


class Locked(LogError):
    """Another process is the writer of this data directory."""

    def __init__(self, directory: Path, holder: str) -> None:
        self.directory = directory
        self.holder = holder
        super().__init__(f"{directory} is in use by another process ({holder or 'unknown'})")


class BackupRefused(LogError):
    """The directory cannot take a backup of this log without losing what it holds."""


class RepairRefused(LogError):
    """The log is not damaged there, or no cut would cure it; nothing was changed."""


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
