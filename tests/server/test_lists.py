"""GET /jobs: filters, orders, pages."""

import itertools
from typing import Any

import pytest

from projections.moments import to_text
from tests.server.harness import Face

ORDERS = (
    "created_at",
    "updated_at",
    "scheduled_at",
    "completed_at",
    "priority",
    "status",
    "queue_name",
    "retry_count",
)


async def found(face: Face, query: str) -> list[str]:
    return [job["id"] for job in await face.summaries(query)]


async def mixed(face: Face) -> dict[str, dict[str, Any]]:
    """Make jobs that differ in everything a list can be ordered by; give them by id."""
    for number in range(8):
        later = {"scheduled_at": to_text(face.clock() + 10**9)} if number % 3 == 0 else {}
        queue = f"q{number % 4}"
        await face.create(queue, {"n": number}, priority=number * 7 % 5, max_retries=1, **later)
        face.advance(1)
    for number in (1, 2, 3):
        for job in await face.claim(f"q{number}"):
            await face.settle("complete" if number != 2 else "fail", job["id"])
            face.advance(1)
    ids = await found(face, "limit=100")
    return {job_id: await face.job(job_id) for job_id in ids}


@pytest.mark.parametrize("direction", ["asc", "desc", "DESC", "AsC", "sideways", ""])
@pytest.mark.parametrize("order", ORDERS)
async def test_order(face: Face, order: str, direction: str) -> None:
    jobs = await mixed(face)
    age = {job_id: -index for index, job_id in enumerate(jobs)}
    wanted = sorted(
        jobs,
        key=lambda job_id: (
            jobs[job_id][order] is not None,
            jobs[job_id][order] if jobs[job_id][order] is not None else 0,
            age[job_id],
        ),
        reverse=direction.lower() != "asc",
    )
    query = f"order_by={order}" + (f"&order_dir={direction}" if direction else "")
    assert await found(face, query) == wanted
    assert await found(face, query + "&queue_name=q1") == [
        job_id for job_id in wanted if jobs[job_id]["queue_name"] == "q1"
    ]


@pytest.mark.parametrize("order", ["", "id", "payload", "created_at; drop", "CREATED_AT"])
async def test_unknown_order_is_newest_first(face: Face, order: str) -> None:
    made = [await face.create() for _ in range(3)]
    assert await found(face, f"order_by={order.replace(' ', '+')}") == made[::-1]


@pytest.mark.parametrize("query", ["", "order_by=priority", "queue_name=mail", "tag=t"])
async def test_pages_follow_each_other(face: Face, query: str) -> None:
    made = [await face.create(tags=["t"], priority=5) for _ in range(7)]
    pages, more = [], []
    for offset in range(0, 9, 3):
        answer = await face.get(f"/jobs?{query}&limit=3&offset={offset}")
        pages.append([job["id"] for job in answer.json])
        more.append(answer.headers["X-Has-More"])
    assert list(itertools.chain(*pages)) == made[::-1]
    assert more == ["true", "true", "false"]
    assert (await face.get(f"/jobs?{query}&limit=7")).headers["X-Has-More"] == "false"
    assert await found(face, f"{query}&offset=100") == []


async def test_status_and_queue(face: Face) -> None:
    done = await face.create()
    await face.claim()
    await face.settle("complete", done)
    held = await face.create()
    await face.claim()
    waiting, other = await face.create(), await face.create("other")
    wanted = {
        "status=pending": [other, waiting],
        "status=pending&queue_name=mail": [waiting],
        "status=processing,completed": [held, done],
        "status=pending,bogus": [other, waiting],
        "status=failed": [],
        "queue_name=mail": [waiting, held, done],
        "queue_name=none": [],
        "queue_name=": [other, waiting, held, done],
        "status=": [other, waiting, held, done],
    }
    assert {query: await found(face, query) for query in wanted} == wanted


async def test_creation_time(face: Face) -> None:
    made, times = [], []
    for _ in range(3):
        made.append(await face.create())
        times.append(to_text(face.clock()))
        face.advance(1)
    assert await found(face, f"created_after={times[1]}") == [made[2], made[1]]
    assert await found(face, f"created_before={times[1]}") == [made[0]]
    assert await found(face, f"created_after={times[1]}&created_before={times[2]}") == [made[1]]
    offset = times[1].replace("Z", "%2B00:00")
    assert await found(face, f"created_after={offset}") == [made[2], made[1]]


async def test_job_type_and_free_text(face: Face) -> None:
    send = await face.create("Mail-Out", {"job_type": "SendMail"})
    thumb = await face.create("media", {"job_type": "thumb"})
    text = await face.create("media", {"other": "sendmail"})
    number = await face.create("media", {"job_type": 7})
    wanted = {
        "job_type=SendMail": [send],
        "job_type=sendmail": [],
        "q=SENDM": [send],
        "q=mail-o": [send],
        "q=thumb": [thumb],
        f"q={text}": [text],
        f"q={text.upper()}": [text],
        "q=media": [number, text, thumb],
        "q=nothing": [],
    }
    assert {query: await found(face, query) for query in wanted} == wanted
    types = {job["id"]: job["job_type"] for job in await face.summaries()}
    assert types == {send: "SendMail", thumb: "thumb", text: "", number: ""}


async def test_tag(face: Face) -> None:
    listed = await face.create(tags=["red", "2", 3, ["deep"], None])
    keyed = await face.create("other", tags={"red": 1, "team": "blue", "n": 2.5, "o": {"in": "x"}})
    plain = await face.create()
    wanted = {
        "tag=red": [keyed, listed],
        "tag=2": [listed],
        "tag=3": [],
        "tag=deep": [],
        "tag=team": [keyed],
        "tag=blue": [keyed],
        "tag=in": [],
        "tag=x": [],
        "tag=2.5": [],
        "tag=red&queue_name=mail": [listed],
        "tag=red&status=completed": [],
        "tag=re": [],
        "tag=": [plain, keyed, listed],
    }
    assert {query: await found(face, query) for query in wanted} == wanted


async def test_tag_filter_follows_a_job_through_its_life(face: Face) -> None:
    job_id = await face.create(tags=["red"], max_retries=0)
    await face.claim()
    await face.settle("fail", job_id)
    assert await found(face, "tag=red&status=deadletter") == [job_id]
    await face.post(f"/jobs/{job_id}/retry")
    assert await found(face, "tag=red&status=pending") == [job_id]
    assert await found(face, "tag=red&status=deadletter") == []
