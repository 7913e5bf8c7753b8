"""The guard hears what it must hear; and nothing of the machinery makes a noise of its own."""

from typing import Final

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Check, Visit
from tests.browser.guard import Guard

FAULTS: Final = {
    "console.error('broken')": "error: broken",
    "setTimeout(() => { throw new Error('lost') })": "not caught: lost",
    "window.open('http://192.0.2.1/')": "asked another host: http://192.0.2.1/",
    "void fetch('http://192.0.2.1/').catch(() => null)": "policy: connect-src",
    "document.body.append(Object.assign(document.createElement('script'), {text: '1'}))": (
        "policy: script-src"
    ),
    "document.body.setAttribute('style', 'color: red')": "policy: style-src",
    "void fetch('api/v1/nothing')": "404",
}


def test_a_quiet_page_is_no_complaint(visit: Visit, guards: list[Guard]) -> None:
    visit().evaluate("console.log('fine')")
    assert guards[0].complaints == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_heard(visit: Visit, guards: list[Guard], fault: str) -> None:
    page = visit()
    page.evaluate(f"() => {{ {fault}; }}")
    until_heard(page, guards[0], FAULTS[fault])
    guards[0].allow("")  # all that it brings about


def until_heard(page: Page, guard: Guard, text: str) -> None:
    """Let the page go on until the guard complains of this."""
    for _ in range(200):
        if any(text in one for one in guard.complaints):
            return
        page.wait_for_timeout(20)
    raise AssertionError(guard.complaints)


def test_what_cannot_be_read_is_found(visit: Visit, accessible: Check) -> None:
    page = visit()
    page.evaluate("document.getElementById('title').style.color = 'rgb(250, 250, 250)'")
    with pytest.raises(AssertionError, match="color-contrast"):
        accessible(page)
