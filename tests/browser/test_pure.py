"""The dashboard's pure functions: the text of a filter, and what is wrong with a text of JSON."""

import json
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

NOW_MS: Final = 1_000_000_000_000
Terms = list[tuple[str | None, str]]

READ: Final[dict[str, Terms]] = {
    "": [],
    "status:failed alice": [("status", "failed"), (None, "alice")],
    'error:"timed out" STATUS:pending': [("error", "timed out"), ("status", "pending")],
    r'payload:"\"n\":1" "two words"': [("payload", '"n":1'), (None, "two words")],
    'error:"not closed': [("error", "not closed")],
    "url:x type:a:b": [(None, "url:x"), ("type", "a:b")],
    '"status:failed"': [(None, "status:failed")],
    "queue:": [("queue", "")],
}
ASKED: Final[dict[str, dict[str, str]]] = {
    "status:failed status:deadletter,pending": {"status": "failed,deadletter,pending"},
    "queue:q tag:t type:k payload:p error:e": {
        "queue_name": "q",
        "tag": "t",
        "job_type": "k",
        "contains": "p",
        "error": "e",
    },
    'kind:"<n> lost" a b': {"error_signature": "<n> lost", "q": "a b"},
    "since:2h before:2001-09-09": {
        "created_after": "2001-09-08T23:46:40.000Z",
        "created_before": "2001-09-09T00:00:00.000Z",
    },
}
REFUSED: Final = [
    "status:odd",
    "status:failed,",
    "queue:",
    'queue:""',
    "queue:a queue:b",
    "since:soon",
    "before:2h3",
]
COMPLETED: Final[dict[str, list[str]]] = {
    "s|": ["status:|", "since:|"],
    "status:deadletter,pro|": ["status:deadletter,processing |"],
    "queue:ma| tag:x": ["queue:mail |tag:x"],
    "queue:odd|": ['queue:"odd one" |'],
    "tag:|": [],
    "status:failed |": [],
}
JSON: Final[dict[str, list[Any]]] = {
    "": ["a value", 1, 1],
    "nul": ["a value", 1, 1],
    '{\n  "a": 1,\n}': ["a name in double quotes", 3, 1],
    "[1,]": ["a value", 1, 4],
    '{"a" 1}': [":", 1, 6],
    "[1 2]": [", or ]", 1, 4],
    '{"a": [1}': [", or ]", 1, 9],
    '{"a": 1}}': ["nothing more", 1, 9],
    "[01]": [", or ]", 1, 3],
    '"\t"': ["a value", 1, 1],
}
ATTEMPTS: Final[dict[str, str]] = {
    "created 0, claimed 1, completed 3": "0-1-3 completed",
    "created 0": "0-?-?",
    "created 0, due 5, claimed 6": "0-6-?",
    "created 0, cancelled 2": "0-?-2 cancelled",
    "created 0, cancelled 2, reverted 3 status=pending": "0-?-2 cancelled, 3-?-?",
    "created 0, claimed 1, failed 2 retry_at=9, due 9, claimed 10": "0-1-2 failed, 2-10-?",
    "created 0, claimed 1, failed 2": "0-1-2 failed",
    "created 0, claimed 1, failed 2, retried 8, claimed 9": "0-1-2 failed, 8-9-?",
    "created 0, claimed 1, failed 2, retried 8, reverted 9 status=deadletter": "0-1-2 failed",
    "created 0, claimed 1, lease_expired 2": "0-1-2 lease_expired, 2-?-?",
    "created 0, claimed 1, lease_expired 2 deadletter=1": "0-1-2 lease_expired",
    "created 0, claimed 1, cancel_requested 2, reverted 3 status=processing": "0-1-?",
    "created 0, claimed 1, released 2, claimed 3": "0-1-2 released, 2-3-?",
    "created 0, priority_changed 1, reverted 2 status=pending": "0-?-?",
    "claimed 7, completed 8": "7-7-8 completed",
    "settlement_refused 1": "",
}


def evaluated(page: Page, module: str, expression: str, argument: object) -> Any:
    return page.evaluate(
        f"""async (it) => {{
          const m = await import(new URL("dashboard/js/{module}.js", document.baseURI.split("#")[0]));
          return {expression};
        }}""",
        argument,
    )


def read(page: Page, texts: list[str]) -> list[Terms]:
    terms = "it.map((text) => m.parse(text).terms.map(({field, value}) => [field, value]))"
    found = evaluated(page, "filter", terms, texts)
    return [[(field, value) for field, value in one] for one in found]


def test_filters_are_read(page: Page) -> None:
    assert dict(zip(READ, read(page, list(READ)), strict=True)) == READ


def test_filters_ask_the_api(page: Page) -> None:
    ask = f"it.map((text) => m.toParameters(m.parse(text), {NOW_MS}))"
    found = evaluated(page, "filter", ask, list(ASKED))
    assert dict(zip(ASKED, found, strict=True)) == ASKED


def test_filters_that_mean_nothing_are_told(page: Page) -> None:
    count = "it.map((text) => m.parse(text).problems.length)"
    assert evaluated(page, "filter", count, [*REFUSED, *ASKED]) == [1] * 7 + [0] * 4


values = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
fields = st.sampled_from([None, "status", "queue", "error", "kind", "since"])


def test_a_filter_that_is_written_is_read_again(page: Page) -> None:
    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(fields, values), max_size=4))
    def again(terms: Terms) -> None:
        asked = [{"field": field, "value": value} for field, value in terms]
        (found,) = read(page, [evaluated(page, "filter", "m.print(it)", asked)])
        assert found == terms

    again()


def test_what_could_come_next(page: Page) -> None:
    expression = """it.map((text) => m.completions(text.replace("|", ""), text.indexOf("|"),
        {queues: ["mail", "odd one"]}).map(({text, caret}) => text.slice(0, caret) + "|" + text.slice(caret)))"""
    found = evaluated(page, "completion", expression, [*COMPLETED, "|"])
    assert dict(zip(COMPLETED, found, strict=False)) == COMPLETED | {"status:failed |": found[-2]}
    assert [one.removeprefix("status:failed ") for one in found[-2]] == found[-1]
    assert len(found[-1]) == 9


def events(story: str) -> list[dict[str, Any]]:
    """Read "created 0, failed 2 retry_at=9": kinds, seconds and details."""
    parts = [one.split(" ") for one in story.split(", ")]
    return [
        {
            "event_type": kind,
            "created_at": f"2026-01-01T00:00:{int(secs):02d}Z",
            "details": dict(one.split("=") for one in details),
        }
        for kind, secs, *details in parts
    ]


def test_attempts_as_events_tell_of_them(page: Page) -> None:
    expression = """it.map((events) => m.attemptsOf(events).map(({from, claimed, until, ending}) =>
        [from, claimed, until].map((at) => at === null ? "?" : at / 1000 % 60).join("-")
        + (ending ? ` ${ending}` : "")).join(", "))"""
    found = evaluated(page, "attempts", expression, [events(story) for story in ATTEMPTS])
    assert dict(zip(ATTEMPTS, found, strict=True)) == ATTEMPTS


def test_what_is_wrong_with_json(page: Page) -> None:
    tell = "it.map(m.readJson).map(({problem, line, column}) => [problem, line, column])"
    found = evaluated(page, "jsontext", tell, list(JSON))
    assert found == [[f"Expected {what}", line, column] for what, line, column in JSON.values()]


def test_json_is_right_exactly_when_the_browser_says_so(page: Page) -> None:
    broken = st.text(st.sampled_from('{}[],:"\\0-1.eu truefalsn\n'), max_size=12)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(broken, min_size=20, max_size=20))
    def agree(texts: list[str]) -> None:
        found = evaluated(page, "jsontext", "it.map((text) => m.readJson(text).line ?? 0)", texts)
        for text, line in zip(texts, found, strict=True):
            assert (line == 0) == is_json(text), text

    agree()


def is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=int)
    except ValueError:
        return False
    return True
