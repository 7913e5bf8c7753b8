"""The shape in which events leave, for every event there is and will be."""

from typing import get_args

import msgspec
import pytest
from msgspec import Raw

from projections import feed
from projections.events import Event, JobCreated, KeyCreated, Record, WorkerLost
from projections.feed import Fact

AROUND = {"position", "index", "at", "by", "req", "events"}
every_event = pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)


@every_event
def test_no_field_hides_what_stands_around_an_event(kind: type[msgspec.Struct]) -> None:
    assert not AROUND & set(kind.__struct_fields__)


@every_event
def test_every_secret_is_known_as_one(kind: type[msgspec.Struct]) -> None:
    assert {name for name in kind.__struct_fields__ if "secret" in name} <= feed.SECRETS


@pytest.mark.parametrize(
    ("event", "subject"),
    [
        (
            JobCreated(job="j", queue="q", payload=Raw(b"1"), max_retries=0, timeout_secs=1),
            "j",
        ),
        (WorkerLost(worker="w"), "w"),
        (KeyCreated(key="k", name="n", hash="h", prefix="p", queues=[]), "k"),
    ],
)
def test_every_way_of_telling_says_the_same(event: Event, subject: str) -> None:
    record = Record(7, 1_795_461_256_000_001, 'a "key"', "r\n", (event,))
    fact = Fact(record, 0, event)
    decode = msgspec.json.decode
    line = decode(feed.line(fact))
    whole = decode(feed.record_line(record, [fact]))
    cloud = decode(feed.cloud_event("c", fact))
    assert (line["by"], whole["by"], cloud["actor"]) == (record.by,) * 3
    assert (line["req"], whole["req"], cloud["requestid"]) == (record.req,) * 3
    assert line["at"] == whole["at"] == cloud["time"] == "2026-11-23T19:14:16.000001Z"
    assert {name: line[name] for name in line if name not in AROUND} == cloud["data"]
    assert whole["events"] == [{"index": 0, **cloud["data"]}]
    assert (cloud["id"], cloud["subject"]) == ("c/7/0", subject)
