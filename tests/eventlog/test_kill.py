"""kill -9 at arbitrary moments: what a process said was durable is there afterwards."""

import subprocess
import sys
from pathlib import Path

from eventlog import Reader, verify
from tests.eventlog.logs import all_of, open_log

APPENDER = Path(__file__).with_name("appender.py")
ROOT = APPENDER.parents[2]


def run_and_kill(data_dir: Path, lines: int) -> int:
    """Let the appender report so many positions; kill it; give the last one it told of."""
    with subprocess.Popen(
        [sys.executable, str(APPENDER), str(data_dir)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        told = 0
        for _ in range(lines):
            told = int(process.stdout.readline())
        process.kill()
        for rest in process.stdout:
            told = int(rest) if rest.endswith("\n") else told
    return told


async def test_killed_appender_keeps_its_word(tmp_path: Path) -> None:
    told = 0
    for kills in range(1, 7):
        told = run_and_kill(tmp_path, lines=11 * kills)
        assert Reader(tmp_path).mark() >= told
        log = open_log(tmp_path)
        assert log.last >= told
        assert await all_of(log) == [(n, b'{"n":%d}' % n) for n in range(1, log.last + 1)]
        assert await log.begin() == 2 * kills
        await log.close()
        assert verify(tmp_path).records == log.last


def test_reading_beside_a_running_appender(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, str(APPENDER), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        for _ in range(60):
            told = int(process.stdout.readline())
            reader = Reader(tmp_path)
            assert reader.mark() >= told
            assert sum(map(len, reader.entries())) >= told
            assert verify(tmp_path).last >= told
        following = Reader(tmp_path).follow(0, wait=lambda: process.poll() is None)
        for expected, line in enumerate(following, start=1):
            assert line.position == expected
            if expected == 2 * told:
                break
        process.kill()
        process.stdout.read()
