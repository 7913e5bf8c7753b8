"""Payloads as large as they may be: little is shown at a time, and all of it when asked for."""

from typing import Any, Final

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Check, Visit
from tests.browser.hands import Hands

TEXT: Final = "\N{GRINNING FACE}a" * 15_000
"""31 thousand characters with their quotes, and many that must not be cut in two"""


def opened(visit: Visit, hands: Hands, payload: Any) -> tuple[Page, Locator]:
    page = visit(f"jobs/{hands.create('large', payload)}")
    return page, page.locator("#payload .json")


def test_a_long_text_is_shown_in_parts(visit: Visit, hands: Hands, accessible: Check) -> None:
    page, payload = opened(visit, hands, {"text": TEXT})
    shown = payload.locator(".json-string")
    more = payload.get_by_role("button", name="characters more")
    whole = f'"{TEXT}"'
    assert 500 < len(shown.text_content() or "") < 1_000
    accessible(page)
    while more.count():
        assert whole.startswith(shown.text_content() or "nothing")
        more.focus()
        page.keyboard.press("Enter")
    expect(shown).to_have_text(whole)


def test_a_long_list_is_shown_in_parts(visit: Visit, hands: Hands) -> None:
    _, payload = opened(visit, hands, {"list": list(range(450)), "short": [1, 2]})
    numbers = payload.locator(".json-number")
    expect(numbers).to_have_count(2)
    payload.locator("summary").filter(has_text="list").click()
    for count, left in ((102, "350 more"), (202, "250 more"), (302, "150 more"), (402, "50 more")):
        expect(numbers).to_have_count(count)
        payload.get_by_role("button", name=left).click()
    expect(numbers).to_have_count(452)
    assert payload.get_by_role("button").count() == 0


@pytest.mark.parametrize("payload", [{"x" * 5_000: 1}, {"a": "\N{GRINNING FACE}" * 700}])
def test_what_was_shown_stays_when_it_is_loaded_again(
    visit: Visit, hands: Hands, payload: Any
) -> None:
    page, shown = opened(visit, hands, payload)
    before = shown.inner_text()
    with page.expect_response(lambda answer: "/history" in answer.url):
        hands.create("large")  # only so that there is something to hear of
    assert shown.inner_text() == before
    assert "\N{REPLACEMENT CHARACTER}" not in before
