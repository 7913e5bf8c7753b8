r"""Durable bytes: an append-only log of opaque records in one directory. This is its format.

The room knows bytes only: no event, no HTTP, no clock and no randomness of its own. `Log` is what
the engine sees, `FileLog` and `MemoryLog` keep its promises, `Reader` and `verify` are for tools.

**Files** of a data directory::

    log/00000000000000000001.log   a segment, named by its first position (20 digits)
    log/….log.zst                  a compressed segment, in the place of a sealed one
    log/START                      where the log begins, once older records have expired
    LOCK                           locked by the writer; the text is for messages only
    KEEPING                        locked by who replaces or removes sealed segments, or keeps hashes
    meta.json                      {"format":1,"cluster":"c1","created_at":1795461256000000}
    DURABLE                        the durable mark, below
    quarantine/                    every byte that was ever cut from a log
    repairs.log                    a JSON line for each time records were given up; see below
    snapshots/                     what the log adds up to; see `eventlog.snapshots`
    TREE                           hashes of the records, to prove them by; see `eventlog.treefile`

**A segment** is text, line by line, without NUL. Every line is ``<crc32> <rest>\n``: 8 lower-case
hex digits of the CRC-32 (zlib) of the bytes of the rest. A header, records, and once the segment is
sealed a footer::

    531bfec4 #seg {"format":1,"base":1,"state":"d0f631ca1ddba8db3bcfcb9e057cdc98d0379f1bee00e75a545147a27dadd982","prev_sha256":"","epoch":1,"cluster":"c1","created_at":1795461256000000,"writer":"spoolog 0.1.0"}
    44796d38 1 1 1 2856414e157ae6a902dc06d550e4fc1a {"events":[{"type":"job.created","job":"j1"}]}
    7a4ceded 2 1 1 e49cc588d0ce4afe80cd61f251f7a7a4 {"events":[{"type":"job.created","job":"j2"}]}
    8fbb2aa9 3 3 1 037fdbccf605d4d7681820eb6909557d {"events":[{"type":"job.claimed","job":"j1"}]}
    182babf2 #end {"records":3,"first":1,"last":3,"bytes":493,"state":"037fdbccf605d4d7681820eb6909557d47ab479485e21132d7bcb9ed99152b7b","sha256":"69a7c6aa10b3fd85caa50f64e691ad8dde0f5ab5c8708e09a7efeea91d79414c"}

**A record** is ``<crc32> <position> <batch> <epoch> <chain> <body>``; numbers have no zero in
front, and the body may hold spaces.

- *position*: 1, 2, 3, … without a gap, across segments.
- *batch*: a readable record with batch b proves that every record before b had been synced. With
  ``--sync always`` it is the position of the first record of the same write and sync; otherwise 1 +
  the last position that was known to be synced when the record was framed. Never decreases.
- *epoch*: of the writer, 1 more at every start. A writer begins a segment of its own, so all records
  of a segment have the epoch of its header.
- *chain*: the first 16 bytes in hex of ``state(n) = sha256(state(n-1) + b"<position> " + body)``,
  where ``state(0) = sha256(cluster)``. The full 32 bytes stand in headers and footers and go on
  across segments. A record changed, removed, repeated or moved breaks it; a log rewritten to its end
  does not; a checkpoint that is kept elsewhere shows that, see `eventlog.checkpoint`.

**The header** (``#seg``) holds the first position (base), the chain's state before it, the sha256 in
the footer of the segment before (empty in the first), epoch, cluster, time in microseconds, and the
writer's version. A segment appears under its name only when its header is durable.

**The footer** (``#end``) holds the number of records, the first and last position, the length of the
file before it in bytes, the chain's state after the last record, and the sha256 of the file before
it. It is written when all before it is synced. Nothing follows it. Only the last segment may lack
it. A sealed segment holds records.

**A compressed segment** is the same bytes in Zstandard's seekable format: frames of at most 1 MiB of
content with a checksum, and a table of their sizes at the end. The first frame holds the header, the
last one the footer, those between end with a line if they can. Offsets, lengths and hashes are those
of the plain bytes everywhere. A plain segment of the same name counts before it.

**The beginning.** Whole segments may expire, the oldest first, on demand only. ``START`` is written
before the first of them goes and says what the first one left must continue: its position, the
chain's state before it, the sha256 in the footer of the last expired one, and that one's epoch.
Older segments beside it are leftovers. Without it, a log that does not begin at 1 is damaged::

    210cf8f8 #start {"first":4,"state":"037fdbccf605d4d7681820eb6909557d47ab479485e21132d7bcb9ed99152b7b","prev_sha256":"69a7c6aa10b3fd85caa50f64e691ad8dde0f5ab5c8708e09a7efeea91d79414c","epoch":1}

**The mark** is two slots of 64 bytes, written in turn after each sync and not synced itself:
``<crc32> <position, 20 digits> <chain>``, a space, a newline. The higher valid one counts, as a
lower bound of what must exist::

    2bd1a352 00000000000000000003 037fdbccf605d4d7681820eb6909557d

**The tree** of RFC 6962 over all records, one leaf ``<position> <body>`` each, is derived and not part
of the log: see `eventlog.tree`. What ``TREE`` keeps of it is needed once records have expired, and is
durable before they do.

**A bad end.** Only an unfinished last write is cut without asking, into ``quarantine/``: see
`eventlog.tail`. Everything else is `LogDamaged`, and nothing is changed, until an operator gives up
what is damaged and all behind it, see `eventlog.repair`, or all before where a snapshot holds what it
came to, see `eventlog.drop`. A backup is a data directory of its own:
see `eventlog.backup`, and so is a fork, which ends earlier: see `eventlog.fork`.

"""

from eventlog.directory import SegmentInfo
from eventlog.errors import (
    BodyRefused,
    CheckpointDiffers,
    HashesMissing,
    Locked,
    LogClosed,
    LogDamaged,
    LogError,
    LogExpired,
    LogFailed,
    NotCovered,
    OutOfOrder,
    SnapshotDamaged,
)
from eventlog.file import FileLog
from eventlog.log import Entry, Log, LogStat, SyncMode
from eventlog.memory import MemoryLog
from eventlog.reader import Line, Reader
from eventlog.recovery import Recovery
from eventlog.skim import Sieve
from eventlog.snapshots import Snapshot, SnapshotHead, SnapshotStore, newest_sound
from eventlog.verify import Verified, verify
from eventlog.writer import Meter

__all__ = [
    "BodyRefused",
    "CheckpointDiffers",
    "Entry",
    "FileLog",
    "HashesMissing",
    "Line",
    "Locked",
    "Log",
    "LogClosed",
    "LogDamaged",
    "LogError",
    "LogExpired",
    "LogFailed",
    "LogStat",
    "MemoryLog",
    "Meter",
    "NotCovered",
    "OutOfOrder",
    "Reader",
    "Recovery",
    "SegmentInfo",
    "Sieve",
    "Snapshot",
    "SnapshotDamaged",
    "SnapshotHead",
    "SnapshotStore",
    "SyncMode",
    "Verified",
    "newest_sound",
    "verify",
]
