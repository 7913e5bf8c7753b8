from hashlib import sha256

from eventlog.frame import Header, first_state, next_state, record_line
from eventlog.segment import ActiveSegment
from tests.eventlog.disks import MemoryDisk
from tests.eventlog.logs import HOME

STATE = first_state("c1")
HEADER = Header(1, 1, STATE.hex(), "", 1, "c1", 0, "spoolog")


def test_segment_appears_with_a_durable_header() -> None:
    disk = MemoryDisk()
    disk.put(HOME.log / f"{1:020}.tmp", b"left by a crash")
    segment = ActiveSegment.create(disk, HOME, HEADER)
    assert disk.names(HOME.log) == [f"{1:020}.log"]
    after = disk.after_power_loss(keep_mark=False)
    assert after.content()[HOME.segment(1)].startswith(
        after.content()[HOME.segment(1)][:9] + b"#seg"
    )
    segment.close()
    segment.close()


def test_footer_holds_the_hash_of_all_before_it() -> None:
    disk = MemoryDisk()
    segment = ActiveSegment.create(disk, HOME, HEADER)
    state = next_state(STATE, 1, b"{}")
    segment.write(record_line(1, 1, 1, state, b"{}"))
    before = disk.content()[HOME.segment(1)]
    assert segment.seal(1, state) == sha256(before).hexdigest()
    assert disk.after_power_loss(keep_mark=False).content() == disk.content()
    assert disk.open_files == 0
