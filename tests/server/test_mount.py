"""Where a log may live."""

from pathlib import Path

import pytest

from server.mount import UnsafeFileSystem, check, kind_of

MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
tmpfs /run tmpfs rw 0 0
server:/x /mnt/our\\040data nfs4 rw 0 0
/dev/vdb /mnt/our\\040data/local xfs rw 0 0
//host/share /srv cifs rw 0 0
tmpfs /srv tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("directory", "kind"),
    [
        ("/", "ext4"),
        ("/var/lib/spoolog", "ext4"),
        ("/run/spoolog", "tmpfs"),
        ("/runner", "ext4"),
        ("/mnt/our data", "nfs4"),
        ("/mnt/our data/q", "nfs4"),
        ("/mnt/our data/local/q", "xfs"),
        ("/srv/q", "tmpfs"),
    ],
)
def test_the_nearest_and_newest_mount_counts(directory: str, kind: str) -> None:
    assert kind_of(Path(directory), MOUNTS) == kind


def test_nothing_is_known_without_mounts(tmp_path: Path) -> None:
    assert kind_of(Path("/x"), "") is None
    assert check(tmp_path, tmp_path / "missing") is None


def mounts_with(tmp_path: Path, kind: str) -> Path:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nx {tmp_path} {kind} rw 0 0\n")
    return mounts


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "fuse.sshfs"])
def test_a_network_file_system_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UnsafeFileSystem, match=f"network file system .{kind}."):
        check(tmp_path / "data", mounts_with(tmp_path, kind))


def test_memory_is_warned_of_and_a_disk_is_fine(tmp_path: Path) -> None:
    assert "a reboot loses everything" in str(check(tmp_path, mounts_with(tmp_path, "tmpfs")))
    for kind in ("ext4", "xfs", "btrfs", "overlay"):
        assert check(tmp_path, mounts_with(tmp_path, kind)) is None
