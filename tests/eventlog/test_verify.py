import random
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from eventlog import LogDamaged, Reader, verify
from eventlog.frame import footer_line, parse_footer
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME, compressed, entries, open_log, plain, running, start, write


@pytest.mark.parametrize("form", [plain, compressed])
async def test_sound_log_is_summed_up(form: Callable[[MemoryDisk], MemoryDisk]) -> None:
    disk = await running(batches=6, segment_bytes_max=500)
    contents = disk.content()
    form(disk)
    heard: list[int] = []
    verified = verify(HOME.directory, progress=heard.append, disk=disk)
    assert (verified.records, verified.last, verified.mark) == (12, 12, 12)
    assert (verified.segments, verified.epochs, verified.torn) == (6, [1], None)
    assert verified.bytes == sum(
        len(data) for path, data in contents.items() if path.parent == HOME.log
    )
    assert verified.chain_hex == list(Reader(HOME.directory, disk).lines())[-1].chain
    assert heard[-1] == 12


async def test_many_processes_find_what_one_finds(tmp_path: Path) -> None:
    log = open_log(tmp_path, segment_bytes_max=500)
    await log.begin()
    await write(log, batches=6)
    await log.close()
    heard: list[int] = []
    alone = verify(tmp_path)
    assert verify(tmp_path, progress=heard.append, processes=2) == alone
    assert heard == sorted(heard)
    assert heard[-1] == alone.last
    paths = sorted((tmp_path / "log").iterdir())
    for path in reversed(paths[1::2]):  # and the damage stays: the first is what is told
        path.chmod(0o600)
        content = path.read_bytes()
        path.write_bytes(content.replace(b"created", b"crested", 1))
        told = []
        for processes in (1, 2):
            with pytest.raises(LogDamaged) as damaged:
                verify(tmp_path, processes=processes)
            told.append(str(damaged.value))
        assert told[0] == told[1]
        assert path.name in told[0]


async def test_empty_log_is_sound() -> None:
    disk = MemoryDisk()
    await open_log(disk=disk).close()
    assert verify(HOME.directory, disk=disk).records == 0


async def test_torn_tail_is_reported() -> None:
    disk = await running(batches=2)
    disk.remove(HOME.mark)
    disk.put(HOME.segment(1), disk.content()[HOME.segment(1)][:-1])
    before = disk.content()
    torn = verify(HOME.directory, disk=disk).torn
    assert torn is not None
    assert (torn.file, torn.position, torn.quarantine) == (HOME.segment(1), 4, None)
    assert disk.content() == before


async def test_wrong_hash_of_a_segment_is_found() -> None:
    disk = MemoryDisk()
    log = open_log(disk=disk)
    await log.begin()
    await write(log, batches=2)
    await log.close()
    data = disk.content()[HOME.segment(1)]
    at = data.index(b" #end ") - 8
    footer = parse_footer(data[at:-1])
    assert footer is not None
    assert footer.sha256 == sha256(data[:at]).hexdigest()
    lie = type(footer)(
        records=footer.records,
        first=footer.first,
        last=footer.last,
        bytes=footer.bytes,
        state=footer.state,
        sha256="0" * 64,
    )
    disk.put(HOME.segment(1), data[:at] + footer_line(lie))
    with pytest.raises(LogDamaged, match="footer"):
        verify(HOME.directory, disk=disk)


@pytest.mark.parametrize("form", [plain, compressed])
@pytest.mark.parametrize("seed", range(5))
async def test_random_damage_never_reads_as_something_else(
    seed: int, form: Callable[[MemoryDisk], MemoryDisk]
) -> None:
    disk = form(await running(batches=6, segment_bytes_max=500))
    dice = random.Random(seed)
    contents = disk.content()
    segments = [path for path in contents if path.parent == HOME.log]
    for _ in range(1_000):
        left = disk.copy()
        for _ in range(dice.randint(1, 3)):
            path = dice.choice(segments)
            left.put(path, _mutated(left.content()[path], dice))
        try:
            found = start(left)
        except LogDamaged:
            continue
        assert found == entries(12)


def _mutated(data: bytes, dice: random.Random) -> bytes:
    at, length = dice.randrange(len(data) + 1), dice.randint(0, 40)
    kind = dice.randrange(4)
    if kind == 0:
        return data[:at] + dice.randbytes(length) + data[at + length :]
    if kind == 1:
        return data[:at] + data[at + length :]
    if kind == 2:
        return data[:at] + data[dice.randrange(len(data)) :][:length] + data[at:]
    return data[:at] + bytes(length) + data[at + length :]
