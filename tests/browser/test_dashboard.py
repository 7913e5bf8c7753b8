"""The dashboard on a server where things have happened."""

import re
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import LOOKS, Check, Served, Shot, Visit, settled
from tests.browser.guard import Guard
from tests.browser.hands import Hands

HOSTILE: Final = '<img src=x onerror="window.hacked=1">'
SCREENS: Final = {
    "overview": "overview",
    "queues": "queues",
    "queue": "queues/mail",
    "queue-dead": "queues/mail?tab=dead",
    "queue-config": "queues/mail?tab=config",
    "deadletters": "deadletters",
    "time": "time?at=9",
    "time-now": "time?at=9&vs=now",
    "log": "log",
    "log-files": "log?tab=files",
    "log-integrity": "log?tab=integrity",
}


@pytest.fixture(scope="module", autouse=True)
def story(hands: Hands) -> None:
    """Have some of everything."""
    hands.register()
    for _ in range(3):
        hands.done("mail")
    hands.dead("mail", "SMTP 451 from 10.0.0.7: try later")
    hands.dead("mail", "SMTP 451 from 10.0.0.8: try later")
    hands.dead("mail", HOSTILE, payload={"to": HOSTILE})
    hands.create_many("mail", 20)
    hands.create_many("reports", 3)
    hands.create("later", scheduled_at="2099-01-01T00:00:00Z")
    hands.pause("reports", f"lunch {HOSTILE}")
    hands.claim("mail", limit=2, lease_duration_secs=3600)


def test_the_first_visit_by_the_console_link(served: Served, visit: Visit) -> None:
    page = visit()
    expect(page).to_have_title(re.compile(r"Overview . Spoolog"))
    assert served.key not in page.url
    assert page.url == f"{served.url}/#/overview"
    page.reload()
    settled(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.go_back()
    assert served.key not in page.url


def test_signing_in_with_a_key(served: Served, visit: Visit, guards: list[Guard]) -> None:
    page = visit(signed_in=False)
    guards[0].allow("401")
    expect(page.get_by_label("API key")).to_be_focused()
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("API key").fill(served.key)
    page.keyboard.press("Enter")
    settled(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_the_overview_shows_figures(page: Page, hands: Hands) -> None:
    figures: dict[str, Any] = hands.ask("GET", "/dashboard")
    assert (figures["jobs"]["pending"], figures["jobs"]["processing"]) == (21, 2)
    expect(page.locator("#working")).to_contain_text("Working")
    expect(page.locator("#wrong")).to_contain_text("3 failed attempts")
    expect(page.locator("#failures")).to_contain_text("SMTP <n> from <n>: try later")
    expect(page.locator("#paused")).to_contain_text("reports")
    expect(page.locator("#glance")).to_contain_text("mail")
    expect(page.locator("#log")).to_contain_text("always")
    expect(page.locator("#system")).to_contain_text("1 healthy of 1")


def test_figures_follow_what_happens(page: Page, hands: Hands) -> None:
    glance = page.locator("#glance").get_by_role("row").filter(has_text="arriving")
    expect(glance).to_have_count(0)
    hands.create_many("arriving", 7)
    expect(glance).to_contain_text("7")
    jobs = hands.claim("arriving", limit=7)
    for job in jobs:
        hands.complete(job)
    expect(glance).not_to_contain_text("7")


@pytest.mark.parametrize("screen", SCREENS)
def test_texts_of_jobs_stay_texts(visit: Visit, screen: str) -> None:
    page = visit(SCREENS[screen])
    if screen in {"overview", "deadletters", "queue-dead"}:
        expect(page.locator("#screen")).to_contain_text("<img src=x onerror=")
    assert page.locator("#screen img").count() == 0
    assert page.evaluate("window.hacked") is None


def test_payload_and_error_of_a_dead_letter_stay_texts(visit: Visit) -> None:
    page = visit("deadletters?contains=onerror")
    page.get_by_role("button", name="Inspect job").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(HOSTILE)  # the error
    expect(dialog).to_contain_text("window.hacked=1\\")  # the payload, as JSON
    assert page.locator("dialog img").count() == 0
    assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("screen", SCREENS)
def test_every_screen_is_sound(
    visit: Visit, shot: Shot, accessible: Check, screen: str, look: str
) -> None:
    page = visit(SCREENS[screen], look=look)
    shot(page, f"{screen}-{look}")
    accessible(page)
    over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert over <= 0, "the page is wider than its window"


def test_the_sign_in_is_accessible(visit: Visit, shot: Shot, accessible: Check) -> None:
    for look in LOOKS:
        page = visit(look=look, signed_in=False)
        expect(page.get_by_label("API key")).to_be_visible()
        shot(page, f"sign-in-{look}")
        accessible(page)


def tab_to(page: Page, name: str) -> None:
    """Press Tab until a link or button has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement?.textContent?.trim() ?? ''")
        if focused == name:
            shown = page.evaluate("document.activeElement.matches(':focus-visible')")
            assert shown, "one sees where the focus is"
            return
    raise AssertionError(f"{name} cannot be reached")


def test_every_screen_can_be_reached_by_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    entries = page.get_by_role("navigation").get_by_role("link").all_inner_texts()
    assert len(entries) >= 3
    for entry in entries:
        page.reload()
        settled(page)
        tab_to(page, entry)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(entry))
        expect(page.get_by_role("navigation").get_by_role("link", name=entry)).to_have_attribute(
            "aria-current", "page"
        )
        settled(page)


def test_pause_and_resume_by_keyboard(visit: Visit, hands: Hands) -> None:
    hands.create("keys")
    page = visit("queues/keys")
    page.get_by_role("button", name="Pause…").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Pause…")).to_be_focused()
    assert hands.ask("GET", "/queues/keys")["enabled"]
    page.keyboard.press("Enter")
    page.get_by_label("Reason").fill("inventory")
    page.keyboard.press("Enter")
    expect(page.locator("#screen")).to_contain_text("inventory")
    assert not hands.ask("GET", "/queues/keys")["enabled"]
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause…")).to_be_visible()
    assert hands.ask("GET", "/queues/keys")["enabled"]


def test_a_dead_letter_goes_back(visit: Visit, hands: Hands) -> None:
    job_id = hands.dead("second", "no luck")
    page = visit("deadletters?queue_name=second")
    expect(page.locator("#screen")).to_contain_text("no luck")
    page.get_by_role("button", name=f"Retry job {job_id}").click()
    expect(page.locator("#screen")).not_to_contain_text("no luck")
    assert hands.ask("GET", f"/jobs/{job_id}")["status"] == "pending"
