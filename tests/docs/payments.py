"""The stage of docs/audit.md: a real server, the workers of two releases, and a tidy operator.

The new release pays by `iban`, which invoices from overseas do not have. It fails at once and burns
all attempts of a job while the old worker is busy; then somebody purges the dead letters. The
server's clock stands still between two scenes, so that the log tells the same times in every run.
"""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.faults.real.bent import Control
from tests.faults.real.stage import KEY, Stage
from tests.tools.workbench import ROOT

QUEUE: Final = "payments"
_OPTIONS: Final = ("--snapshot-records", "0", "--snapshot-age", "forever")
"""no snapshots: when one is made depends on the machine"""

Invoice = dict[str, Any]
Pay = Callable[[Invoice], dict[str, Any]]


def old_release(invoice: Invoice) -> dict[str, Any]:
    return {"paid": invoice["cents"], "to": invoice.get("iban") or invoice["account"]}


def new_release(invoice: Invoice) -> dict[str, Any]:
    return {"paid": invoice["cents"], "to": invoice["iban"]}


class Payments:
    """A server in `directory`/spoolog-data, and everybody who talks to it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = Control(directory / "clock")
        env = {"BENT_CONTROL": str(directory / "clock")}
        self.server = Stage(
            directory / "spoolog-data", *_OPTIONS, module="tests.faults.real.bent", **env
        )
        self.day = ""

    def at(self, time: str) -> None:
        """Put the server's clock to a time of the day."""
        moment = datetime.fromisoformat(f"{self.day}T{time}").replace(tzinfo=UTC)
        self.clock["frozen_ns"] = int(moment.timestamp()) * 10**9

    def ask(self, path: str, body: Any, request: str, method: str = "POST") -> Any:
        asked = urllib.request.Request(
            f"{self.server.url}/api/v1{path}",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
            | {"X-Request-Id": request},
            method=method,
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def bill(self, number: int, **to: str) -> None:
        invoice = {"invoice": number, "cents": 12500, **to}
        body = {"queue_name": QUEUE, "payload": invoice}
        self.ask("/jobs", body, f"billing-{number}")

    def register(self, worker: str, version: str) -> None:
        body = {"queue_name": QUEUE, "hostname": f"{worker}.example", "worker_id": worker}
        self.ask("/workers/register", {**body, "version": version}, f"{worker}-start")

    def claim(self, worker: str) -> Any:
        body = {"queue_name": QUEUE, "worker_id": worker, "lease_duration_secs": 300}
        (job,) = self.ask("/jobs/claim", body, f"{worker}-claim")["jobs"]
        return job

    def work(self, worker: str, job: Any, pay: Pay) -> None:
        """Do a job as a worker does it, and say what came of it."""
        try:
            done = pay(job["payload"])
        except KeyError as missing:
            body = {"worker_id": worker, "error": f"KeyError: {missing}"}
            self.ask(f"/jobs/{job['id']}/fail", body, f"{worker}-fail")
        else:
            body = {"worker_id": worker, "result": done}
            self.ask(f"/jobs/{job['id']}/complete", body, f"{worker}-complete")

    def pays(self, worker: str, pay: Pay) -> None:
        self.work(worker, self.claim(worker), pay)

    def stop(self) -> None:
        assert self.server.stop() == 0

    def close(self) -> None:
        self.server.close()
        self.clock.close()

    def spoolog(self, *args: str) -> str:
        """Run a verb beside the server; give what it printed."""
        command = [sys.executable, "-m", "tools.cli", *args]
        data = ["--data-dir", str(self.server.data_dir)]
        return subprocess.check_output([*command, *data], cwd=ROOT, text=True)


def friday(on: Payments) -> None:
    """Play the day on which it happened."""
    on.day = "2026-11-20"
    on.at("09:00:00")
    on.server.start()
    quickly = {"settings": {"retry_base_secs": 5}}
    on.ask(f"/queues/{QUEUE}/config", quickly, "ops-console-12", "PUT")
    on.register("worker-1", "1.8.2")
    for number in (4700, 4701):
        on.bill(number, iban="DE02120300000000202051")
        on.pays("worker-1", old_release)
    on.at("12:00:00")
    on.ask("/workers/worker-1/heartbeat", {"current_jobs": 0}, "worker-1-pulse")
    (on.directory / "audit").mkdir()
    noon = json.loads(on.spoolog("log", "checkpoint", "--json"))
    (on.directory / "audit" / "friday").write_text(noon["checkpoint"])
    (on.directory / "audit" / "vkey").write_text(noon["verifier_key"] + "\n")
    on.spoolog("log", "archive", "--to", str(on.directory / "backup"))
    the_new_release(on)
    on.at("21:31:00")
    on.ask("/jobs/dlq/purge", {"queue_name": QUEUE, "confirm": True}, "ops-console-19")


def the_new_release(on: Payments) -> None:
    """Play the six minutes of worker-7."""
    on.at("21:14:00")
    on.register("worker-7", "2.0.0")
    on.bill(4709, account="021000021/7")
    on.pays("worker-7", new_release)
    on.at("21:14:05")
    on.pays("worker-1", old_release)
    on.bill(4710, iban="FR7630006000011234567890189")
    long_one = on.claim("worker-1")
    on.at("21:14:10")
    on.bill(4711, account="026009593/3")
    on.at("21:14:11")
    on.pays("worker-7", new_release)
    for retry in ("21:14:16", "21:14:26", "21:14:46"):
        on.at(retry)
        on.pays("worker-7", new_release)
    on.at("21:15:30")
    on.work("worker-1", long_one, old_release)
    on.at("21:20:00")
    on.ask("/workers/worker-7/deregister", {}, "worker-7-stop")


def monday(on: Payments) -> None:
    """Begin the day on which somebody asks."""
    on.day = "2026-11-23"
    on.at("08:00:00")


def worker_1_pays(on: Payments) -> None:
    on.at("08:00:40")
    on.pays("worker-1", old_release)
