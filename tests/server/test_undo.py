"""Taking back over HTTP, from a log on disk, and while others go on. The rules: projections/test_undo."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from eventlog import FileLog, SyncMode
from eventlog.directory import Home
from eventlog.disk import OsDisk
from eventlog.retention import expire
from projections import bounds
from projections.decide import Caller, Policy, actions, claims, jobs, queues, settlements
from projections.decide.actions import Action
from projections.digest import digest
from projections.errors import Expired
from projections.events import decode
from projections.fold import refold
from projections.specs import Claim, Failure, JobFilter, NewJob, Pause, Verb
from projections.state import State
from server import pasts
from server.engine import Engine
from server.undo import Undone, undo
from tests.fakes import FakeClock, counting_ids
from tests.server.harness import KEY, Face, assert_refused, background, started, turns, until

ANN = Caller("default", "key_ann", "req-1")


async def take_back(face: Face, position: int, *, dry_run: bool = False) -> dict[str, Any]:
    answer = await face.post("/log/undo", {"position": position, "dry_run": dry_run})
    assert answer.status == 200, answer.content
    made: dict[str, Any] = answer.json
    return made


async def dead(face: Face, **fields: Any) -> str:
    job_id = await face.create(max_retries=0, **fields)
    await face.claim()
    await face.settle("fail", job_id)
    return job_id


async def purge(face: Face) -> int:
    answer = await face.post("/jobs/dlq/purge", {"confirm": True})
    assert answer.status == 200
    return face.log.last


async def test_a_purge_goes_back_whole_and_says_so(face: Face) -> None:
    ids = [await dead(face, payload={"n": n}, idempotency_key=f"k{n}") for n in range(3)]
    before = [await face.job(job_id) for job_id in ids]
    at = await purge(face)
    face.advance(1)
    made = await take_back(face, at)
    assert f'"action":"{made.pop("action_id")}"'.encode() in face.log._bodies[-1]
    assert made == {
        "position": at,
        "dry_run": False,
        "what": "jobs purged",
        "by": next(iter(face.engine.state.tables.keys)),
        "at": "2026-11-23T19:14:16.000000Z",
        "undone": 3,
        "cannot": 0,
        "refused": [],
        "records": 1,
        "positions": [at + 1],
    }
    changed = {"position", "updated_at"}
    for one in before:
        job = await face.job(one["id"])
        assert {name for name in job if job[name] != one[name]} <= changed
    body = {"queue_name": "mail", "payload": {}, "idempotency_key": "k1"}
    again = await face.post("/jobs", body)
    assert (again.status, again.json["id"]) == (200, ids[1])


async def test_a_rehearsal_foretells_and_changes_nothing(face: Face) -> None:
    ids = [await dead(face, idempotency_key=f"k{n}") for n in range(2)]
    at = await purge(face)
    other = await face.create(idempotency_key="k0")
    footprint = face.footprint()
    told = await take_back(face, at, dry_run=True)
    assert face.footprint() == footprint
    assert (told["dry_run"], told["undone"], told["cannot"]) == (True, 1, 1)
    assert (told["action_id"], told["records"], told["positions"]) == (None, 0, [])
    reason = f"its idempotency key belongs to job {other} now"
    assert told["refused"] == [{"job_id": ids[0], "queue": None, "reason": reason}]
    done = await take_back(face, at)
    assert {name: done[name] for name in ("undone", "cannot", "refused")} == {
        name: told[name] for name in ("undone", "cannot", "refused")
    }


async def test_an_action_of_many_records_goes_back_whole_from_any_of_them(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "JOBS_PER_RECORD_MAX", 4)
    for _ in range(10):
        await face.create()
    first = face.log.last + 1
    await face.post("/jobs/actions", {"action": "cancel", "filter": {"status": "pending"}})
    assert face.log.last == first + 2
    last = first + 2
    for position in (first + 1, last + 2, last + 4):  # a part, of it, of its undo, of that one's
        made = await take_back(face, position)
        assert (made["undone"], made["cannot"], made["records"]) == (10, 0, 3)
    statuses = {one["status"] for one in await face.summaries("limit=20")}
    assert statuses == {"pending"}


async def test_a_deleted_queue_comes_back_with_its_jobs_and_is_paused_as_it_was(face: Face) -> None:
    running, waiting = await face.create(), await face.create()
    await face.claim()
    await face.put("/queues/mail/config", {"rate_limit": 7, "settings": {"note": "x"}})
    await face.post("/queues/mail/pause", {"reason": "lunch"})
    queue = (await face.get("/queues/mail")).json
    face.advance(5)
    assert (await face.delete("/queues/mail?delete_jobs=true")).status == 204
    made = await take_back(face, face.log.last)
    assert (made["what"], made["undone"]) == ("queue deleted with its jobs", 3)
    back = (await face.get("/queues/mail")).json
    assert {name for name in back if back[name] != queue[name]} == {"updated_at"}
    await face.settle("complete", running)
    assert (await face.job(running))["status"] == "completed"
    assert await face.claim() == []
    await face.post("/queues/mail/resume")
    assert [one["id"] for one in await face.claim()] == [waiting]


async def test_a_claim_that_waits_gets_what_came_back(face: Face) -> None:
    job_id = await face.create()
    await face.delete(f"/jobs/{job_id}")
    at = face.log.last
    claim = {"queue_name": "mail", "worker_id": "w1", "wait_secs": 20}
    waiting = background(face.post("/jobs/claim", claim))
    await until(lambda: len(face.service.waiting))
    await take_back(face, at)
    assert [one["id"] for one in (await waiting).json["jobs"]] == [job_id]


async def test_the_history_goes_through_a_deletion(face: Face) -> None:
    job_id = await dead(face)
    await take_back(face, await purge(face))
    await face.post(f"/jobs/{job_id}/retry")
    await take_back(face, face.log.last)
    told = (await face.get(f"/jobs/{job_id}/history")).json
    kinds = [one["event_type"] for one in told]
    assert kinds == [
        *("created", "claimed", "failed", "deleted", "restored", "retried", "reverted"),
    ]
    assert told[4]["details"]["status"] == "deadletter"
    assert "payload" not in told[4]["details"]


async def test_what_stands_in_the_log_of_an_undo_holds_no_secret(face: Face) -> None:
    await dead(face, completion_webhook_secret="hush")
    await take_back(face, await purge(face))
    assert b"hush" in face.log._bodies[-1]
    records = await face.get("/log/records?type=job.restored")
    assert b'"job.restored"' in records.content
    assert b"hush" not in records.content


@pytest.mark.parametrize(
    ("position", "status", "code", "says"),
    [
        (1, 409, "CONFLICT", "API keys are not changed back"),
        (2, 409, "CONFLICT", "job.created: a creation stands"),
        (3, 409, "CONFLICT", "job.claimed: what workers did"),
        (4, 409, "CONFLICT", "job.completed: what workers did"),
        (5, 404, "NOT_FOUND", "There is no record 5"),
        (0, 400, "VALIDATION_ERROR", "position"),
        (1 << 80, 400, "VALIDATION_ERROR", "position"),
        ("4", 422, "VALIDATION_ERROR", "position"),
    ],
)
async def test_what_cannot_be_taken_back_at_all(
    face: Face, position: Any, status: int, code: str, says: str
) -> None:
    job_id = await face.create()
    await face.claim()
    await face.settle("complete", job_id)
    footprint = face.footprint()
    for dry_run in (True, False):
        answer = await face.post("/log/undo", {"position": position, "dry_run": dry_run})
        assert says in assert_refused(answer, status, code)["message"]
    assert face.footprint() == footprint


async def test_a_key_for_some_queues_takes_nothing_back(face: Face) -> None:
    job_id = await face.create()
    await face.delete(f"/jobs/{job_id}")
    at = face.log.last
    face.add_key("sp_test_limited", "mail")
    footprint = face.footprint()
    answer = await face.post("/log/undo", {"position": at}, key="sp_test_limited")
    assert_refused(answer, 403, "ACCESS_DENIED")
    assert face.footprint() == footprint


async def test_the_answer_waits_for_the_disk(face: Face) -> None:
    at = await purge_of_one(face)
    face.log.hold()
    asking = background(face.post("/log/undo", {"position": at}))
    await until(lambda: face.log.last > at)
    await turns()
    assert not asking.done()
    face.log.release()
    assert (await asking).json["undone"] == 1


async def purge_of_one(face: Face) -> int:
    await dead(face)
    return await purge(face)


async def test_two_at_once_take_it_back_once(face: Face) -> None:
    ids = [await dead(face) for _ in range(3)]
    at = await purge(face)
    asking = [background(face.post("/log/undo", {"position": at})) for _ in range(3)]
    answers = [(await one).json for one in asking]
    assert sorted(one["undone"] for one in answers) == [0, 0, 3]
    assert all("restored since" in one["reason"] for two in answers for one in two["refused"])
    assert set(face.engine.state.tables.jobs) == set(ids)


async def test_refused_jobs_are_named_up_to_a_hundred(face: Face) -> None:
    ids = [await face.create() for _ in range(120)]
    body = {"action": "set_priority", "filter": {"status": "pending"}, "priority": 5}
    await face.post("/jobs/actions", body)
    at = face.log.last
    await face.claim(limit=100)
    await face.claim(limit=10)
    made = await take_back(face, at)
    assert (made["undone"], made["cannot"], len(made["refused"])) == (10, 110, 100)
    assert made["refused"][0]["job_id"] == ids[0]


async def test_an_overloaded_server_says_not_now_and_goes_on_when_asked_again(
    aiohttp_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "JOBS_PER_RECORD_MAX", 2)
    face = await started(aiohttp_client)
    for _ in range(6):
        await face.create()
    await face.post("/jobs/actions", {"action": "cancel", "filter": {"status": "pending"}})
    at, taken = face.log.last, 0

    def full_after_one(decide: object) -> None:
        nonlocal taken
        taken += 1
        face.service.pressure.admit(decide)  # type: ignore[arg-type]
        if taken == 2:  # once before it begins
            face.service.pressure.found_free(0)

    face.engine.admission = full_after_one
    assert_refused(await face.post("/log/undo", {"position": at}), 507, "STORAGE_FULL")
    face.service.pressure.found_free(1 << 60)
    made = await take_back(face, at)
    assert (made["undone"], made["cannot"]) == (4, 2)
    assert {one["status"] for one in await face.summaries()} == {"pending"}


# -- a log on disk


class Disk:
    """An engine on a log of one record a segment, so that any of them may expire."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.clock = FakeClock()
        self.log = FileLog.open(
            data_dir,
            clock=self.clock,
            new_cluster_id=lambda: "c1",
            sync=SyncMode.NONE,
            segment_bytes_max=1,
        )
        self.engine = Engine(State(), self.log, self.clock, counting_ids(), Policy())

    async def do(self, decide: Any, *args: Any) -> Any:
        made = self.engine.execute(decide, ANN, *args)
        await self.engine.durable(made.position)
        return made.answer

    async def dead(self, count: int) -> list[str]:
        ids = []
        for n in range(count):
            spec = NewJob(queue_name="mail", payload=Raw(b"%d" % n), max_retries=0)
            ids.append((await self.do(jobs.create, spec)).job_id)
        await self.do(claims.claim, Claim(queue_name="mail", worker_id="w1", limit=count))
        for job_id in ids:
            await self.do(settlements.fail, job_id, Failure(worker_id="w1", error="boom"))
        return ids

    async def purge(self, ids: list[str]) -> int:
        action = Action(Verb.PURGE, JobFilter(), Raw(b"{}"))
        await self.do(actions.apply, action, self.engine.new_id(), ids)
        return self.engine.state.position

    def expire(self, before: int) -> None:
        done = expire(OsDisk(), Home(self.data_dir), "c1", before=before, covered=before - 1)
        assert done.first == before

    async def undo(self, position: int) -> Undone:
        return await undo(self.engine, ANN, position, dry_run=False)

    async def replayed(self) -> State:
        await self.engine.durable(self.engine.state.position)
        state = State()
        async for batch in self.log.read():
            for position, body in batch:
                refold(state, decode(position, body))
        return state


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[Disk]:
    made = Disk(tmp_path)
    await made.log.begin()
    yield made
    await made.log.close()


async def test_live_and_replayed_are_the_same_after_an_undo(disk: Disk) -> None:
    ids = await disk.dead(40)
    made = await disk.undo(await disk.purge(ids))
    assert (made.undone, made.cannot) == (40, 0)
    assert digest(await disk.replayed()) == digest(disk.engine.state)
    assert {bytes(job.payload) for job in disk.engine.state.tables.jobs.values()} == {
        b"%d" % n for n in range(40)
    }


async def test_jobs_whose_records_have_expired_stay_gone_and_say_so(disk: Disk) -> None:
    ids = await disk.dead(4)
    at = await disk.purge(ids)
    disk.expire(3)  # with the creation of the first two
    made = await disk.undo(at)
    assert (made.undone, made.cannot) == (2, 2)
    assert {one.reason for one in made.refused} == {
        "records before 3, which tell what it was, have expired"
    }
    assert list(disk.engine.state.tables.jobs) == ids[2:]


async def test_a_record_that_has_expired_is_told_as_such(disk: Disk) -> None:
    at = await disk.purge(await disk.dead(1))
    await disk.do(queues.pause, "mail", Pause())
    disk.expire(at + 1)
    with pytest.raises(Expired, match=f"before {at + 1} have expired"):
        await disk.undo(at)


async def test_an_action_whose_first_record_has_expired_is_not_torn(disk: Disk) -> None:
    ids = await disk.dead(2)
    action = Action(Verb.PURGE, JobFilter(), Raw(b"{}"))
    first = disk.engine.state.position + 1
    for job_id in ids:
        made = disk.engine.execute(actions.apply, ANN, action, "a-1", [job_id], first=first)
        await disk.engine.durable(made.position)
    disk.expire(first + 1)
    with pytest.raises(Expired):
        await disk.undo(first + 1)
    assert disk.engine.state.tables.jobs == {}


async def test_a_pause_goes_back_whatever_has_expired(disk: Disk) -> None:
    await disk.do(queues.pause, "mail", Pause(reason="lunch"))
    disk.clock.advance(1)
    await disk.do(queues.pause, "mail", Pause(reason="dinner"))
    disk.expire(2)
    assert (await disk.undo(2)).undone == 1
    queue = disk.engine.state.queue("default", "mail")
    assert queue is not None
    assert queue.paused_reason == "lunch"


@pytest.mark.parametrize("kept", [0, 500, 1 << 20])
async def test_records_are_read_in_blocks_and_alone(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    await disk.dead(20)
    last = disk.engine.state.position
    monkeypatch.setattr(pasts, "BLOCKS_RECORDS", (8, 2))
    monkeypatch.setattr(pasts, "KEPT_BYTES_MAX", kept)
    whole = {at: body async for batch in disk.log.read() for at, body in batch}
    wanted = [1, 2, 5, 6, 9, 12, 20, 21, last]
    reading = pasts.Reading(disk.log)
    for _ in range(2):
        found = [entry async for entry in reading.bodies(reversed(wanted))]
        assert found == [(at, whole[at]) for at in wanted]
    disk.expire(6)
    reading = pasts.Reading(disk.log)
    assert [at async for at, _ in reading.bodies(wanted)] == wanted[3:]


async def a_torn_family(face: Face, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], int]:
    """Delete a queue in records of two jobs: a parent and its grandchild; the child is in another."""
    monkeypatch.setattr(bounds, "JOBS_PER_RECORD_MAX", 2)
    parent = await face.create("mail")
    child = await face.create("other", parent_job_id=parent)
    grandchild = await face.create("mail", parent_job_id=child, idempotency_key="k")
    assert (await face.delete("/queues/mail?delete_jobs=true")).status == 204
    record = decode(face.log.last - 1, await face.log.body(face.log.last - 1))
    kinds = [getattr(event, "job", None) for event in record.events]
    assert kinds == [None, parent, child, grandchild], (
        "a record may touch more jobs than it deletes"
    )
    return [parent, child, grandchild], face.log.last


async def test_a_job_waits_for_its_turn_behind_many(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    family, at = await a_torn_family(face, monkeypatch)
    for dry_run in (True, False):
        made = await take_back(face, at, dry_run=dry_run)
        assert (made["undone"], made["cannot"], made["refused"]) == (4, 0, [])
    assert [(await face.job(one))["status"] for one in family] == ["pending"] * 3
    made = await take_back(face, face.log.last)
    assert (made["undone"], made["cannot"]) == (4, 0)
    assert {one["id"] for one in await face.summaries()} == {family[1]}


async def test_what_it_waits_for_in_vain_is_told_once(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    (_, child, grandchild), at = await a_torn_family(face, monkeypatch)
    purge_it = {"action": "purge", "filter": {"job_ids": [child]}}
    assert (await face.post("/jobs/actions", purge_it)).json["matched"] == 1
    for dry_run in (True, False):
        made = await take_back(face, at, dry_run=dry_run)
        assert (made["undone"], made["cannot"]) == (2, 2)
        reasons = {one["job_id"]: one["reason"] for one in made["refused"]}
        assert reasons == {
            child: "it is not there any more",
            grandchild: f"job {child}, for which it waited, is not there any more",
        }


async def test_a_rehearsal_foretells_what_goes_back_in_steps(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child is cancelled with its parent, and deleted in a later record of the same action."""
    monkeypatch.setattr(bounds, "JOBS_PER_RECORD_MAX", 2)
    parent = await face.create("mail")
    await face.create("mail")
    child = await face.create("mail", parent_job_id=parent, idempotency_key="k")
    await face.delete("/queues/mail?delete_jobs=true")
    at = face.log.last
    for position in (at, at + 2, at + 4):  # the action, its undo, the undo of that
        told = await take_back(face, position, dry_run=True)
        made = await take_back(face, position)
        assert (told["undone"], told["cannot"], told["refused"]) == (5, 0, [])
        assert (made["undone"], made["cannot"], made["refused"]) == (5, 0, [])
    assert (await face.job(child))["status"] == "pending"


async def test_an_undo_lets_others_in(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "JOBS_PER_RECORD_MAX", 5)
    for _ in range(3):
        await face.post("/jobs/bulk", {"queue_name": "mail", "jobs": [{"payload": 1}] * 100})
    await face.post("/jobs/actions", {"action": "cancel", "filter": {"status": "pending"}})
    asking = asyncio.create_task(face.post("/log/undo", {"position": face.log.last}, key=KEY))
    last = face.log.last
    await until(lambda: face.log.last > last)
    other = await face.create("other")
    assert (await asking).json["undone"] == 300
    assert (await face.job(other))["position"] < face.log.last
