"""The reading API on a small log: what each filter gives, every way to name a point, and refusals."""

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import spoolog
from projections.digest import digest
from projections.moments import to_text
from spoolog import event_type
from tests.tools.workbench import write_story


@pytest.fixture
async def story(tmp_path: Path) -> SimpleNamespace:
    told = await write_story(tmp_path, segment_bytes_max=500)
    told.data_dir = tmp_path
    told.history = spoolog.open(tmp_path)
    return told


def told(history: spoolog.History, **filters: Any) -> list[tuple[int, str]]:
    return [(fact.record.position, event_type(fact.event)) for fact in history.events(**filters)]


def test_events_know_their_record(story: SimpleNamespace) -> None:
    (failed,) = story.history.events(types=["job.failed"])
    record, event = failed.record, failed.event
    assert (record.by, record.req, event.job) == ("key_ann", "req-1", story.mail)
    assert event.worker == "w1"
    whole = list(story.history.events())
    assert [fact.record.position for fact in whole if fact.index == 0] == list(
        range(1, story.last + 1)
    )


@pytest.mark.parametrize("chained", [False, True])
@pytest.mark.parametrize(
    ("filters", "kinds"),
    [
        ({"types": ["job.failed", "job.completed"]}, ["job.failed", "job.completed"]),
        ({"queue": "sms"}, ["queue.created", "job.created"]),
        ({"queue": "mail", "by": "key_bob"}, ["job.claimed", "job.completed"]),
        ({"by": "system"}, ["job.due"]),
        ({"worker": "w1", "by": "key_ann"}, ["worker.registered", "job.claimed", "job.failed"]),
        ({"request_id": "req-2"}, ["job.claimed", "job.completed"]),
        ({"request_id": "req-"}, []),
        ({"worker": "w"}, []),
        ({"job": "job-000002", "types": ["job.due"]}, ["job.due"]),
        ({"types": ["job.claimed"], "end": 5}, ["job.claimed"]),
        ({"types": ["job.claimed"], "start": 5}, ["job.claimed"]),
    ],
)
def test_filters(
    story: SimpleNamespace, filters: dict[str, Any], kinds: list[str], chained: bool
) -> None:
    assert [kind for _, kind in told(story.history, chained=chained, **filters)] == kinds


def test_a_filter_gives_what_looking_at_every_event_gives(story: SimpleNamespace) -> None:
    whole = list(story.history.events())
    for name in ("job", "worker"):
        for value in {getattr(fact.event, name, None) for fact in whole} - {None}:
            expected = [fact for fact in whole if getattr(fact.event, name, None) == value]
            assert list(story.history.events(**{name: value})) == expected
    for kind in {event_type(fact.event) for fact in whole}:
        expected = [fact for fact in whole if event_type(fact.event) == kind]
        assert list(story.history.events(types=[kind])) == expected


@pytest.mark.parametrize("filters", [{}, {"types": ["job.created", "job.claimed", "job.due"]}])
def test_points_may_be_named_in_every_way(story: SimpleNamespace, filters: dict[str, Any]) -> None:
    records = list(story.history.records(**filters))
    for one in records:
        at, position = one.record.at, one.record.position
        moment = datetime.fromisoformat(to_text(at))
        for point in (position, str(position), to_text(at), moment):
            since = story.history.records(start=point, **filters)
            until = story.history.records(end=point, **filters)
            assert list(since) == [other for other in records if other.record.position >= position]
            assert list(until) == [other for other in records if other.record.position <= position]
            assert story.history.position(point) == position


def test_first_and_last(story: SimpleNamespace) -> None:
    history = story.history
    assert (history.first, history.last, history.cluster) == (1, story.last, "story")
    assert history.position("1999-01-01T00:00:00Z") == 0
    assert history.position("2999-01-01T00:00:00Z") == story.last
    assert history.position(1_000) == story.last


def test_state_and_job_at_a_point(story: SimpleNamespace) -> None:
    history = story.history
    assert digest(history.state()) == digest(story.engine.state)
    assert history.state(at=2).position == 2
    assert history.job(story.mail).status == "completed"
    assert history.job(story.mail, at=4).status == "processing"
    assert history.job(story.sms, at=1) is None


def test_follow_goes_on_until_told(story: SimpleNamespace) -> None:
    waits = iter([True, False])
    found = story.history.follow(types=["job.completed"], wait=lambda: next(waits))
    assert [one.record.position for one in found] == [story.last]
    assert next(waits, None) is None


def test_verify(story: SimpleNamespace) -> None:
    assert story.history.verify().last == story.last


@pytest.mark.parametrize("point", ["yesterday", "", "12:00"])
def test_what_is_no_point_is_refused(story: SimpleNamespace, point: str) -> None:
    for ask in (
        story.history.position,
        story.history.state,
        lambda at: next(story.history.records(start=at)),
    ):
        with pytest.raises(ValueError, match="neither a position nor a time"):
            ask(point)


def test_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(spoolog.LogError, match="holds no log"):
        spoolog.open(tmp_path / "none")


def test_damage_is_told(story: SimpleNamespace) -> None:
    path = min((story.data_dir / "log").iterdir())
    path.chmod(0o600)
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"to":"bob"', b'"to":"rob"'))
    for filters in ({}, {"types": ["job.completed"]}):
        with pytest.raises(spoolog.LogDamaged, match="checksum"):
            list(story.history.events(**filters))


async def test_reading_changes_nothing(story: SimpleNamespace) -> None:
    def look() -> dict[Path, tuple[int, int]]:
        return {
            path: (path.stat().st_mtime_ns, path.stat().st_size)
            for path in story.data_dir.rglob("*")
        }

    before = look()
    list(story.history.events(queue="mail"))
    story.history.state()
    story.history.verify()
    assert look() == before
