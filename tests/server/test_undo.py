"""What someone did is taken back, over HTTP: every kind of record, every refusal."""

from typing import Any

from tests.server.harness import Face


async def undo(face: Face, position: int, *, dry_run: bool = False) -> dict[str, Any]:
    answer = await face.post("/log/undo", {"position": position, "dry_run": dry_run})
    assert answer.status == 200, answer.content
    made: dict[str, Any] = answer.json
    return made


async def test_try(face: Face) -> None:
    job_id = await face.create(payload={"x": 1}, tags=["red"], idempotency_key="k")
    child = await face.create(parent_job_id=job_id)
    before = [await face.job(one) for one in (job_id, child)]
    answer = await face.delete("/queues/mail?delete_jobs=true")
    assert answer.status == 204
    gone = face.log.last
    print(await undo(face, gone, dry_run=True))
    assert face.log.last == gone
    print(await undo(face, gone))
    after = [await face.job(one) for one in (job_id, child)]
    for one, other in zip(before, after):
        print({k: (one[k], other[k]) for k in one if one[k] != other[k]})
    last = face.log.last
    print(await undo(face, last))
    print(await undo(face, face.log.last))
    print(await undo(face, gone))
    print(face.log._bodies[-1].decode())
    assert 0
