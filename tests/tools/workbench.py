"""A small log with a story in it, the command in-process, and a real server beside the test."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import click
from click.testing import CliRunner, Result
from msgspec import Raw

from eventlog import FileLog
from projections.decide import Caller, Policy, claims, duties, jobs, settlements, workers
from projections.specs import Claim, Completion, Failure, NewJob, NewWorker
from projections.state import State
from server.engine import SYSTEM, Engine
from tests.fakes import START_US, FakeClock, counting_ids
from tools.children import Child, serving
from tools.cli import main

KEY = "sp_live_a-key-for-the-tests-only"
ROOT = Path(__file__).resolve().parents[2]


def spoolog(*args: object, env: dict[str, str] | None = None) -> Result:
    """Run a verb in this process."""
    return CliRunner(env=env).invoke(main, [str(arg) for arg in args])


def documents(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


class Story:
    """A writer of a small log: two queues, a job that fails once, a worker."""

    def __init__(self, data_dir: Path, **options: Any) -> None:
        self.clock = FakeClock()
        self.log = FileLog.open(
            data_dir, clock=self.clock, new_cluster_id=lambda: "story", **options
        )
        self.engine = Engine(State(), self.log, self.clock, counting_ids("job"), Policy())
        self.caller = Caller("default", "key_ann", "req-1")

    def do(self, decide: Any, *args: Any, secs: float = 1.0) -> Any:
        answer = self.engine.execute(decide, self.caller, *args).answer
        self.clock.advance(secs)
        return answer

    def create(self, queue: str, payload: bytes = b'{"to":"bob"}', **fields: Any) -> str:
        made = self.do(jobs.create, NewJob(queue_name=queue, payload=Raw(payload), **fields))
        return str(made.job_id)

    def claim(self, queue: str) -> str:
        (job_id,) = self.do(claims.claim, Claim(queue_name=queue, worker_id="w1"))
        return str(job_id)

    async def durable(self) -> None:
        await self.engine.durable(self.engine.state.position)


async def write_story(data_dir: Path, **options: Any) -> SimpleNamespace:
    """Write the log that most tests read; give its jobs and the state it adds up to."""
    story = Story(data_dir, **options)
    await story.log.begin()
    mail = story.create("mail", tags=Raw(b'["vip"]'), idempotency_key="order-1")
    sms = story.create("sms")
    story.do(workers.register, NewWorker(queue_name="mail", hostname="h", worker_id="w1"))
    await story.durable()  # a batch of its own: a segment ends between batches
    assert story.claim("mail") == mail
    story.do(settlements.fail, mail, Failure(worker_id="w1", error="no \x1b[31mluck"), secs=100)
    await story.durable()
    story.caller = SYSTEM
    story.do(duties.due, 10)
    story.caller = Caller("default", "key_bob", "req-2")
    assert story.claim("mail") == mail
    story.do(settlements.complete, mail, Completion(worker_id="w1", result=Raw(b'{"sent":2.50}')))
    await story.log.close()
    last = story.engine.state.position
    return SimpleNamespace(mail=mail, sms=sms, last=last, start_us=START_US, engine=story.engine)


@contextmanager
def server(data_dir: Path, *options: str) -> Iterator[tuple[Child, str]]:
    """Run `spoolog serve` and give its address once it listens."""
    with serving(data_dir, KEY, *options) as child:
        yield child, child.listening_url()


@contextmanager
def command(*args: object, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run the command as a process, with both outputs to read from."""
    with subprocess.Popen(
        [sys.executable, "-m", "tools.cli", *map(str, args)],
        cwd=ROOT,
        env={name: text for name, text in os.environ.items() if not name.startswith("SPOOLOG_")}
        | (env or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def finished(process: subprocess.Popen[str], *, after: signal.Signals | None = None) -> str:
    """Wait for the end of a process; give its standard error."""
    if after is not None:
        process.send_signal(after)
    _, errors = process.communicate(timeout=30)
    return errors


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Walk all verbs."""
    context = click.Context(group)
    for name in group.list_commands(context):
        verb = group.get_command(context, name)
        assert verb is not None
        if isinstance(verb, click.Group):
            yield from leaves(verb, (*path, name))
        else:
            yield (*path, name)


def ask(url: str, method: str, path: str, body: object = None, key: str = KEY) -> tuple[int, Any]:
    """Ask a running server, and give the status and the decoded body."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    try:
        text = None if body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request(method, "/api/v1" + path, body=text, headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def listening(process: subprocess.Popen[str]) -> str:
    """Wait until a server says where it listens."""
    assert process.stdout is not None
    line = process.stdout.readline()
    match = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", line)
    assert match is not None, line
    return match[1]
