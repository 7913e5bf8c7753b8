"""Whether a log still is an extension of what a checkpoint was made of, judged by its records.

Every record that is there is hashed anew: here ``TREE`` is believed only where records have expired,
because who rewrites a log can rewrite it too. It also helps to say where a log was changed.
"""

from eventlog import merkle
from eventlog.checkpoint import Checkpoint, origin_of
from eventlog.directory import SegmentInfo, survey
from eventlog.disk import Disk
from eventlog.errors import CheckpointDiffers, HashesMissing
from eventlog.home import Home
from eventlog.log import Entry
from eventlog.tree import leaves
from eventlog.treefile import Piece, read_pieces


class Recount:
    """Hashes records as they are read, from the first that is there, to compare with a checkpoint.

    Raises:
        CheckpointDiffers: it is of another log.
        HashesMissing: the hashes of what has expired are, or no checkpoint was made there.

    """

    def __init__(self, disk: Disk, home: Home, cluster: str, checkpoint: Checkpoint) -> None:
        if checkpoint.origin != origin_of(cluster):
            raise CheckpointDiffers(
                f"the checkpoint is of {checkpoint.origin}, this log is {origin_of(cluster)}"
            )
        self._checkpoint = checkpoint
        self._pieces = read_pieces(disk, home)[0]
        segments = survey(disk, home, cluster)
        self._gone = self._expired(segments)
        """the pieces before the first record that is there"""
        begin = segments[0].base - 1 if segments else 0
        told = {one.last for one in self._pieces} | {checkpoint.size}
        self._ends = sorted((end for end in told if end > begin), reverse=True)
        self._counted: list[merkle.Range] = []
        self._open = merkle.Range(begin, begin)

    def _expired(self, segments: list[SegmentInfo]) -> list[Piece]:
        last = segments[0].base - 1 if segments else 0
        found = [one for one in self._pieces if one.last <= last]
        if last and (not found or found[-1].last != last):
            raise HashesMissing(1, last)
        if last and found[-1].state != segments[0].header.state:
            raise HashesMissing(1, last)  # those are of another history
        size = self._checkpoint.size
        if 0 < size < last and _upto([one.range for one in found], size) is None:
            raise HashesMissing(size, last)
        return found

    def take(self, batch: list[Entry]) -> None:
        """Hash the next records."""
        hashes, begin = leaves(batch), batch[0][0] - 1
        while hashes:
            room = self._ends[-1] - begin if self._ends else len(hashes)
            part, hashes = hashes[:room], hashes[room:]
            self._open = merkle.join(self._open, merkle.build(begin, part))
            begin += len(part)
            if self._ends and begin == self._ends[-1]:
                self._counted.append(self._open)
                self._open = merkle.Range(begin, begin)
                self._ends.pop()

    def judge(self) -> None:
        """Compare, when all records were taken.

        Raises:
            CheckpointDiffers: the log is no extension of what the checkpoint was made of.

        """
        checkpoint = self._checkpoint
        if self._open.end < checkpoint.size:
            raise CheckpointDiffers(
                f"the log ends at record {self._open.end}, the checkpoint was made of"
                f" {checkpoint.size}: what stood behind has been taken away"
            )
        held = _upto([*(one.range for one in self._gone), *self._counted], checkpoint.size)
        assert held is not None, "what is counted ends there, and what has expired was looked at"
        found = merkle.root(held)
        if found != checkpoint.root:
            raise CheckpointDiffers(
                f"records 1 to {checkpoint.size} are not those that the checkpoint was made of:"
                f" their root is {found.hex()}, the checkpoint's is {checkpoint.root.hex()};"
                f" {self._where()}"
            )

    def _where(self) -> str:
        """Say which records differ, where ``TREE`` is as it was when the checkpoint was made."""
        checkpoint = self._checkpoint
        told = [one.range for one in self._pieces if one.last <= checkpoint.size]
        counted = {(one.begin, one.end): one for one in self._counted}
        authentic = merkle.root(merkle.joined(told)) == checkpoint.root
        if authentic and told and told[-1].end == checkpoint.size:
            for one in told:
                if counted.get((one.begin, one.end), one) != one:
                    return f"the first that differs is one of {one.begin + 1} to {one.end}"
        return "which one differs cannot be told"


def _upto(parts: list[merkle.Range], size: int) -> merkle.Range | None:
    """Join what lies before a size; None where it cuts a whole subtree in two."""
    held = [one for one in parts if one.end <= size]
    for one in parts:
        if one.begin < size < one.end:
            part = merkle.part(one, one.begin, size)
            if part is None:
                return None
            held.append(part)
    return merkle.joined(held)
