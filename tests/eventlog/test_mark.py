from eventlog.mark import NO_MARK, SLOT_BYTES, Mark, MarkFile, parse_slots, slot
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME

CHAIN = b"0a" * 16


def test_slot_is_64_bytes_of_text() -> None:
    data = slot(Mark(30, CHAIN))
    assert len(data) == SLOT_BYTES
    assert data.endswith(b" 00000000000000000030 " + CHAIN + b" \n")
    assert parse_slots(data) == (Mark(30, CHAIN), 0)


def test_highest_valid_slot_counts() -> None:
    low, high = slot(Mark(4, CHAIN)), slot(Mark(5, CHAIN))
    assert parse_slots(low + high) == (Mark(5, CHAIN), 1)
    assert parse_slots(high + low) == (Mark(5, CHAIN), 0)
    assert parse_slots(low + high[:-1]) == (Mark(4, CHAIN), 0)
    assert parse_slots(bytes(SLOT_BYTES) + low) == (Mark(4, CHAIN), 1)


def test_a_changed_bit_makes_a_slot_invalid() -> None:
    data = slot(Mark(4, CHAIN))
    for at in range(SLOT_BYTES):
        for bit in range(8):
            changed = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            assert parse_slots(changed)[0] == NO_MARK


def test_slots_are_written_in_turn() -> None:
    disk = MemoryDisk()
    mark = MarkFile(disk, disk.open_update(HOME.mark), 0)
    for position in (1, 2, 3):
        before = disk.content()[HOME.mark]
        mark.advance(Mark(position, CHAIN))
        after = disk.content()[HOME.mark]
        kept = slice(0, 64) if position % 2 else slice(64, 128)
        assert after[kept] == before[kept] or position == 1
        assert parse_slots(after)[0].position == position
    mark.close()
