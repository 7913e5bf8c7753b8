"""Who holds the disk writes another past: every checksum, the chain, the seals and the mark are right."""

from collections.abc import Callable
from hashlib import sha256

from msgspec import structs

from eventlog import Reader, verify
from eventlog.directory import survey
from eventlog.frame import (
    Footer,
    chain_hex,
    first_state,
    footer_line,
    header_line,
    next_state,
    record_line,
)
from eventlog.mark import Mark, slot
from eventlog.treefile import read_pieces, write_pieces
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME

Story = list[list[bytes]]
"""the bodies of a log, segment by segment"""
Change = Callable[[Story], Story]


def story(disk: MemoryDisk) -> Story:
    reader = Reader(HOME.directory, disk)
    told: Story = []
    bases = [one.base for one in reader.segments()]
    for line in reader.lines():
        if line.position in bases:
            told.append([])
        told[-1].append(line.body)
    return told


def rewritten(disk: MemoryDisk, change: Change, cluster: str = "c1") -> MemoryDisk:
    """Give the disk with another story in the log, which verify alone finds sound."""
    other = disk.copy()
    segments = survey(disk, HOME, cluster)
    for segment in segments:
        other.remove(segment.path)
    position, state, link = 0, first_state(cluster), ""
    for index, bodies in enumerate(change(story(disk))):
        was = segments[min(index, len(segments) - 1)]
        base = position + 1
        header = structs.replace(was.header, base=base, state=state.hex(), prev_sha256=link)
        data = header_line(header)
        for body in bodies:
            position += 1
            state = next_state(state, position, body)
            data += record_line(position, base, header.epoch, state, body)
        if was.sealed:
            link = sha256(data).hexdigest()
            footer = Footer(len(bodies), base, position, len(data), state.hex(), link)
            data += footer_line(footer)
        other.put(HOME.segment(base), data)
    other.put(HOME.mark, slot(Mark(position, chain_hex(state))))
    assert verify(HOME.directory, disk=other).last == position
    return other


def with_forged_hashes(disk: MemoryDisk) -> MemoryDisk:
    """Let ``TREE`` vouch for the records that are there now, with the hashes of those that were."""
    pieces, _ = read_pieces(disk, HOME)
    bodies = [body for segment in story(disk) for body in segment]
    states = [first_state("c1")]
    for position, body in enumerate(bodies, start=1):
        states.append(next_state(states[-1], position, body))
    forged = disk.copy()
    held = [one for one in pieces if one.last <= len(bodies)]
    write_pieces(forged, HOME, [structs.replace(one, state=states[one.last].hex()) for one in held])
    return forged
