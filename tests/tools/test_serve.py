import asyncio
import errno
import http.client
import json
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from eventlog import LogFailed, Reader
from server.settings import Settings
from tests.tools.workbench import (
    KEY,
    ROOT,
    ask,
    command,
    finished,
    listening,
    server,
    spoolog,
    write_story,
)
from tools import serve


def created_until_the_end(url: str) -> Iterator[str]:
    for _ in range(1_000):
        try:
            status, created = ask(url, "POST", "/jobs", {"queue_name": "q", "payload": "x" * 500})
        except (OSError, http.client.HTTPException):
            return
        assert status == 201
        yield created["id"]
    pytest.fail("the server did not end")


def test_first_start_shows_its_key_once_with_a_line_that_works(tmp_path: Path) -> None:
    start = ("serve", "--port", 0, "--data-dir", tmp_path)
    with command(*start) as process:
        url = listening(process)
        key = (tmp_path / "api-key").read_text().strip()
        assert ask(url, "GET", "/jobs/stats", key=key)[0] == 200
        errors = finished(process, after=signal.SIGTERM)
        assert process.returncode == 0
    assert errors.count(key) == 3  # by itself, in the link to the dashboard, in the curl line
    assert f"  {url}/#key={key}\n" in errors
    assert str(tmp_path / "api-key") in errors
    (curl,) = (line for line in errors.splitlines() if line.strip().startswith("curl "))
    words = shlex.split(curl)
    assert f"{url}/api/v1/jobs" in words
    with command(*start) as process:
        url = listening(process)
        method, body = words[words.index("-X") + 1], json.loads(words[words.index("-d") + 1])
        assert ask(url, method, "/jobs", body, key=key)[0] == 201
        assert key not in finished(process, after=signal.SIGTERM)


def test_sigterm_closes_the_log_and_the_next_start_tells_what_it_found(tmp_path: Path) -> None:
    with command("serve", "--port", 0, "--data-dir", tmp_path, env={"SPOOLOG_API_KEY": KEY}) as one:
        listening(one)
        assert "a new log" in finished(one, after=signal.SIGTERM)
        assert one.returncode == 0
    assert all(segment.sealed for segment in Reader(tmp_path).segments())
    with command("serve", "--port", 0, "--data-dir", tmp_path, env={"SPOOLOG_API_KEY": KEY}) as two:
        listening(two)
        assert "replayed 2 records" in finished(two, after=signal.SIGINT)
        assert two.returncode == 0


def test_second_server_on_the_same_data_says_who_holds_it(tmp_path: Path) -> None:
    with server(tmp_path) as (child, _):
        with command("serve", "--port", 0, "--data-dir", tmp_path) as second:
            errors = finished(second)
            assert second.returncode == 2
        assert f"pid {child.process.pid}" in errors


async def test_damaged_log_is_not_served(tmp_path: Path) -> None:
    await write_story(tmp_path)
    (segment,) = (tmp_path / "log").iterdir()
    segment.chmod(0o600)
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    before = segment.read_bytes()
    with command("serve", "--port", 0, "--data-dir", tmp_path) as process:
        errors = finished(process)
        assert process.returncode == 1
    assert "REFUSING TO START" in errors
    assert re.search(rf"{segment} byte \d+ .*record \d+ is damaged", errors)
    assert f"spoolog log verify --data-dir {tmp_path}" in errors
    assert f"spoolog log repair --data-dir {tmp_path}" in errors
    assert segment.read_bytes() == before


def test_port_that_is_taken_exits_2(tmp_path: Path) -> None:
    with server(tmp_path / "one") as (_, url):
        port = urlsplit(url).port
        with command("serve", "--port", port, "--data-dir", tmp_path / "two") as process:
            errors = finished(process)
            assert process.returncode == 2
    assert "cannot serve" in errors
    assert spoolog("log", "verify", "--data-dir", tmp_path / "two").exit_code == 0


def test_what_was_acknowledged_survives_sigkill(tmp_path: Path) -> None:
    with server(tmp_path) as (child, url):
        ids = []
        for number in range(50):
            spec = {"queue_name": "mail", "payload": {"number": number}}
            status, created = ask(url, "POST", "/jobs", spec)
            assert status == 201
            ids.append(created["id"])
        child.kill()
    with server(tmp_path) as (_, url):
        for number, job_id in enumerate(ids):
            status, job = ask(url, "GET", f"/jobs/{job_id}")
            assert (status, job["payload"]) == (200, {"number": number})
    assert spoolog("log", "verify", "--data-dir", tmp_path).exit_code == 0


def test_second_signal_ends_at_once(tmp_path: Path) -> None:
    script = (
        "import asyncio, os, signal\nfrom tools import serve\n"
        "async def run():\n"
        "    serve._stop_on_signals(asyncio.Event())\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    await asyncio.sleep(0.1)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    await asyncio.sleep(30)\n"
        "asyncio.run(run())\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False, timeout=20)
    assert ended.returncode == 128 + signal.SIGTERM


def test_failed_disk_ends_the_process_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(BaseException):
        pass

    written: list[bytes] = []

    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(os, "write", lambda fd, data: written.append(data))
    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(Ended) as ended:
        serve.die(LogFailed(28, Path("/data/log/00000000000000000001.log")))
    assert ended.value.args == (74,)
    (line,) = written
    assert b"/data/log/00000000000000000001.log" in line
    assert b"errno 28" in line
    assert line.count(b"\n") == 1


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit (Linux)")
def test_disk_that_takes_no_more_ends_the_server_with_74(tmp_path: Path) -> None:
    start = ("serve", "--port", 0, "--data-dir", tmp_path)
    with command(*start, env={"SPOOLOG_API_KEY": KEY}) as process:
        url = listening(process)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4_096, 4_096))
        acknowledged = list(created_until_the_end(url))
        errors = finished(process)
        assert process.returncode == 74
    assert re.search(rf"writing {tmp_path}/log/\d+\.log failed: .*errno {errno.EFBIG}", errors)
    assert "Traceback" not in errors
    with server(tmp_path) as (_, url):  # the torn write is set aside, the rest is there
        assert [ask(url, "GET", f"/jobs/{job_id}")[0] for job_id in acknowledged] == [200] * len(
            acknowledged
        )


async def test_signal_during_the_replay_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = asyncio.Event()

    async def endless(*args: object) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    monkeypatch.setattr(serve, "open_engine", endless)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, stop.set)
    assert await serve._start(Settings(data_dir=tmp_path), stop) is None
    assert cancelled.is_set()


def test_options_of_the_environment_do_not_reach_a_servers_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPOOLOG_DATA_DIR", "/nowhere")
    monkeypatch.setenv("SPOOLOG_SYNC", "nonsense")
    with server(tmp_path / "data"):
        assert (tmp_path / "data" / "meta.json").exists()


def test_serving_lets_the_writer_thread_have_the_interpreter_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    async def run(settings: Settings) -> None:
        seen.append(sys.getswitchinterval())

    before = sys.getswitchinterval()
    monkeypatch.setattr(serve, "_run", run)
    try:
        assert spoolog("serve", "--data-dir", tmp_path).exit_code == 0
    finally:
        sys.setswitchinterval(before)
    assert seen == [pytest.approx(serve.SWITCH_INTERVAL_SECS)]


DEFECT = """
from projections.events import JobCancelled
from projections.fold import FOLDS

def fail(*_):
    raise RuntimeError("a defect")

FOLDS[JobCancelled] = fail
from tools.cli import main
main()
"""


def test_defect_in_a_fold_ends_the_server_with_70_and_a_restart_is_clean(tmp_path: Path) -> None:
    start = [sys.executable, "-c", DEFECT, "serve", "--port", "0", "--data-dir", str(tmp_path)]
    with subprocess.Popen(
        start,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SPOOLOG_API_KEY": KEY},
        cwd=ROOT,
    ) as process:
        url = listening(process)
        _, made = ask(url, "POST", "/jobs", {"queue_name": "mail", "payload": 1})
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(url, "DELETE", f"/jobs/{made['id']}")
        errors = finished(process)
    assert process.returncode == 70
    assert "RuntimeError: a defect" in errors
    assert "start again" in errors
    with server(tmp_path) as (_, url):
        status, job = ask(url, "GET", f"/jobs/{made['id']}")
    assert (status, job["status"]) == (200, "pending")


def test_metrics_of_a_running_server_are_for_the_bearer_of_the_token(tmp_path: Path) -> None:
    with command(
        *("serve", "--port", 0, "--data-dir", tmp_path),
        env={"SPOOLOG_API_KEY": KEY, "SPOOLOG_METRICS_TOKEN": "scrape-me"},
    ) as process:
        url = listening(process)
        assert ask(url, "POST", "/jobs", {"queue_name": "q", "payload": 1})[0] == 201
        parts = urlsplit(url)
        assert parts.hostname is not None
        told = {}
        for token in (KEY, "scrape-me"):
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
            connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            told[token] = (answer.status, answer.read().decode())
            connection.close()
        finished(process, after=signal.SIGTERM)
    assert told[KEY][0] == 401
    status, page = told["scrape-me"]
    assert status == 200
    lines = page.splitlines()
    assert "spooled_jobs_enqueued_total 1.0" in lines
    assert "spoolog_connections_open 0.0" not in lines
    (records,) = (line for line in lines if line.startswith("spoolog_log_records_total "))
    assert f"spoolog_log_last_position {records.split()[1]}" in lines


STUCK = """
import threading
from eventlog.disk import OsDisk
from server import app, pressure
pressure.LOOK_SECS = 0.05
serve_http = app.serve

async def hanging(*args, on_listening, **kwargs):
    def then_hang(host, port):
        OsDisk.sync_data = lambda *_: threading.Event().wait()
        on_listening(host, port)
    await serve_http(*args, on_listening=then_hang, **kwargs)

app.serve = hanging
from tools.cli import main
main()
"""


def test_disk_that_hangs_ends_the_server_with_74(tmp_path: Path) -> None:
    start = [sys.executable, "-c", STUCK, "serve", "--port", "0", "--data-dir", str(tmp_path)]
    with subprocess.Popen(
        [*start, "--stuck-disk-secs", "0.2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SPOOLOG_API_KEY": KEY},
        cwd=ROOT,
    ) as process:
        url = listening(process)
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(url, "POST", "/jobs", {"queue_name": "mail", "payload": 1})
        errors = finished(process)
    assert process.returncode == 74
    assert re.search(rf"spoolog: the disk of {tmp_path} has taken nothing for \d+ s", errors)
    assert "Traceback" not in errors


FEW_FILES = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 1_000))
from tools.cli import main
main()
"""


@pytest.mark.parametrize(("connections", "warned"), [(616, False), (617, True)])
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit (Linux)")
def test_limit_of_open_files_is_raised_and_told_when_too_low(
    tmp_path: Path, connections: int, warned: bool
) -> None:
    start = [sys.executable, "-c", FEW_FILES, "serve", "--port", "0", "--data-dir", str(tmp_path)]
    with subprocess.Popen(
        [*start, "--connections-max", str(connections)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SPOOLOG_API_KEY": KEY},
        cwd=ROOT,
    ) as process:
        listening(process)
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (1_000, 1_000)
        errors = finished(process, after=signal.SIGTERM)
    assert ("warning: at most 1000 files may be open" in errors) == warned
