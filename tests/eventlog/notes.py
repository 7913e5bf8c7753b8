"""A key and logs to sign, the same at every run."""

from eventlog.checkpoint import Checkpoint, Note, Signer, origin_of
from eventlog.directory import survey
from eventlog.disk import Disk
from eventlog.errors import CheckpointDiffers
from eventlog.home import Home
from eventlog.recount import Recount
from eventlog.tree import Tree, extent
from eventlog.verify import verify

SIGNER = Signer("spoolog/c1", bytes(range(32)))
STRANGER = Signer("spoolog/c1", bytes(32))


def tree(disk: Disk, home: Home, *cuts: int) -> Tree:
    return Tree(disk, home, "c1", extent(disk, home, "c1"), cuts=cuts)


def checkpoint(disk: Disk, home: Home, size: int | None = None) -> Note:
    """Make a checkpoint as the verb does, of all that is durable without a size."""
    wanted = extent(disk, home, "c1").durable if size is None else size
    found = tree(disk, home, wanted)
    found.keep()
    return SIGNER.sign(Checkpoint(origin_of("c1"), wanted, found.root(wanted)))


def differs(disk: Disk, home: Home, note: Note) -> str | None:
    """Verify a log, which must be sound, against a checkpoint; say what is wrong with it."""
    recount = Recount(disk, home, "c1", note.checkpoint)
    verify(home.directory, batches=recount.take, disk=disk)
    try:
        recount.judge()
    except CheckpointDiffers as reason:
        return str(reason)
    return None


def lasts(disk: Disk, home: Home) -> list[int]:
    """Give where the sealed segments end."""
    return [one.footer.last for one in survey(disk, home, "c1") if one.footer]
