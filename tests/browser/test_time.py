"""The time machine: what is shown at a position is what was there, however one gets to it."""

import json
import re
from typing import Final

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Visit, settled
from tests.browser.guard import Guard
from tests.browser.hands import Hands

STATS: Final = re.compile(r"/api/v1/jobs/stats\?at=")


class Life:
    """One job, and the positions at which it was created, claimed and completed."""

    def __init__(self, hands: Hands) -> None:
        self.id = hands.done("mail")
        told = hands.ask("GET", f"/jobs/{self.id}/history")
        self.created, self.claimed, self.completed = (one["position"] for one in told)


@pytest.fixture(scope="module")
def life(hands: Hands) -> Life:
    """Let one job live between others."""
    hands.create_many("reports", 3)
    life = Life(hands)
    hands.dead("mail")
    hands.pause("reports", "lunch")
    return life


def position(page: Page, expected: int) -> None:
    expect(page.locator("#position")).to_have_text(f"{expected:,}")
    expect(page.get_by_role("heading", name=f"Record {expected:,}", exact=True)).to_be_visible()


def last(hands: Hands) -> int:
    return int(hands.ask("GET", "/log/stat")["durable"])


def test_a_job_was_pending_before_its_claim_and_completed_after(visit: Visit, life: Life) -> None:
    page = visit(f"time?at={life.created}&job={life.id}")
    job = page.locator("#time-job")
    status = job.get_by_role("row", name="Status")
    expect(status).to_contain_text("pending")
    expect(job).to_contain_text("This record made it")
    page.get_by_role("button", name="One record on").click()
    position(page, life.claimed)
    expect(status).to_contain_text("processing")
    expect(status).to_contain_text("pending")  # before the record
    page.get_by_role("button", name="One record on").click()
    position(page, life.completed)
    expect(status).to_contain_text("completed")
    page.get_by_role("button", name="One record back").click()
    position(page, life.claimed)
    expect(status).to_contain_text("processing")
    assert f"at={life.claimed}" in page.url


def test_what_the_record_changed_is_marked(visit: Visit, life: Life) -> None:
    page = visit(f"time?at={life.claimed}")
    counts = page.locator("#time-counts")
    expect(counts.get_by_role("row", name="pending")).to_contain_text("\N{MINUS SIGN}1")
    expect(counts.get_by_role("row", name="processing")).to_contain_text("+1")
    mail = page.locator("#time-queues").get_by_role("row", name="mail")
    expect(mail).to_contain_text("running +1")
    expect(page.locator("#time-jobs .delta")).to_have_text(["job.claimed"])
    expect(page.locator("#record")).to_contain_text("job.claimed")
    expect(page.locator("#record")).to_contain_text(life.id)


def test_what_has_become_of_it_since_is_marked(visit: Visit, life: Life) -> None:
    page = visit(f"time?at={life.created}")
    page.get_by_role("button", name="now", exact=True).click()
    row = page.locator("#time-jobs").get_by_role("row").filter(has_text=life.id[-4:])
    expect(row).to_contain_text("completed")
    reports = page.locator("#time-queues").get_by_role("row", name="reports")
    expect(reports.locator(".delta")).to_have_text(["paused"])


def test_before_the_first_record_there_is_nothing(visit: Visit) -> None:
    page = visit("time?at=0")
    expect(page.locator("#record")).to_contain_text("There was nothing yet")
    expect(page.locator("#time-counts")).to_contain_text("0 kept")


def test_jobs_are_filtered(visit: Visit, life: Life) -> None:
    page = visit(f"time?at={life.completed}")
    rows = page.locator("#time-jobs tbody tr")
    expect(rows).to_have_count(4)
    page.get_by_label("Status", exact=True).select_option("completed")
    expect(rows).to_have_count(1)
    page.get_by_label("Queue", exact=True).select_option("reports")
    expect(page.locator("#time-jobs")).to_contain_text("No job matches")
    expect(page.locator("#time-queues tbody tr")).to_have_count(1)
    page.get_by_label("Status", exact=True).select_option("")
    expect(rows).to_have_count(3)


def test_the_slider_tells_and_moves(visit: Visit, life: Life, hands: Hands) -> None:
    page = visit(f"time?at={life.claimed}")
    slider = page.get_by_role("slider", name="Position in the log")
    told = re.compile(rf"Position {life.claimed} of {last(hands)}, \d{{4}}-")
    expect(slider).to_have_attribute("aria-valuetext", told)
    slider.focus()
    page.keyboard.press("ArrowRight")
    position(page, life.completed)
    expect(slider).to_be_focused()
    page.keyboard.press("Home")
    position(page, 1)
    page.keyboard.press("End")
    position(page, last(hands))
    expect(page.get_by_role("img", name="Records a second")).to_be_visible()


def test_a_moment_is_typed(visit: Visit, life: Life) -> None:
    page = visit("time")
    field = page.get_by_label("Position or time")
    field.fill(str(life.claimed))
    page.keyboard.press("Enter")
    position(page, life.claimed)
    field.fill("the day before")
    page.keyboard.press("Enter")
    assert "A position" in field.evaluate("input => input.validationMessage")
    position(page, life.claimed)
    shown = page.locator("#position-time").inner_text()
    field.fill("1")
    page.keyboard.press("Enter")
    position(page, 1)
    field.fill(shown)  # to the millisecond: what had happened by then
    page.keyboard.press("Enter")
    expect(page.locator("#position-time")).to_have_text(shown)
    expect(page.locator("#position")).to_have_text(str(life.claimed - 1))


def test_it_plays_forward_to_the_end(visit: Visit, hands: Hands) -> None:
    page = visit("time?at=1")
    page.get_by_label("Speed").select_option("4 records a second")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#position")).not_to_have_text("1")
    expect(page.get_by_role("heading", name="Record 1", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    page.get_by_label("Speed").select_option("40 records a second")
    page.get_by_role("button", name="Play").click()
    position(page, last(hands))
    expect(page.get_by_role("button", name="Play")).to_be_disabled()


def test_a_hidden_tab_plays_no_further(visit: Visit, life: Life) -> None:
    page = visit(f"time?at={life.created}")
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.evaluate("""() => {
      Object.defineProperty(document, "hidden", {value: true, configurable: true});
      document.dispatchEvent(new Event("visibilitychange"));
    }""")
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_behind_the_end_one_is_told_and_led_back(
    visit: Visit, hands: Hands, guards: list[Guard], life: Life
) -> None:
    page = visit(f"time?at={life.created}")
    guards[0].allow("409")
    page.get_by_label("Position or time").fill("999999")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text(f"The log ends at {last(hands)}")
    page.get_by_role("button", name="To the newest record").last.click()
    position(page, last(hands))
    expect(page.get_by_role("alert")).to_have_count(0)


def refuse(status: int, code: str) -> dict[str, object]:
    return {
        "status": status,
        "content_type": "application/json",
        "headers": {"Retry-After": "1"},
        "body": json.dumps({"code": code, "message": "Not there."}),
    }


@pytest.mark.parametrize("code", ["PAST_BUSY", "PAST_NOT_YET"])
def test_while_the_log_is_folded_it_waits_and_asks_again(
    visit: Visit, guards: list[Guard], life: Life, code: str
) -> None:
    page = visit(f"time?at={life.created}")
    guards[0].allow("503")
    asked: list[str] = []

    def late(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.fulfill(**refuse(503, code))  # type: ignore[arg-type]
        else:
            route.continue_()

    page.route(STATS, late)
    page.get_by_role("button", name="One record on").click()
    expect(page.get_by_text("Folding the log to that moment")).to_be_visible()
    expect(page.locator("#time-counts")).to_be_visible()  # what was there, until then
    position(page, life.claimed)
    expect(page.get_by_text("Folding the log to that moment")).to_have_count(0)


def test_what_has_expired_is_told(visit: Visit, guards: list[Guard], life: Life) -> None:
    page = visit(f"time?at={life.claimed}")
    guards[0].allow("410")
    expired = re.compile(r"/api/v1/jobs/stats\?at=1$")
    page.route(expired, lambda route: route.fulfill(**refuse(410, "LOG_EXPIRED")))  # type: ignore[arg-type]
    page.get_by_role("button", name="To the first record").click()
    expect(page.get_by_role("alert")).to_contain_text("LOG_EXPIRED")
    page.unroute(expired)
    page.get_by_role("button", name="To the first record there").click()
    settled(page)
    position(page, 1)
