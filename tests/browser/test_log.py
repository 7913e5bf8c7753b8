"""The log's screen: its end as it happens, its files, and the way back."""

import re
from typing import Final

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.hands import Hands

TOO_MANY: Final = 450
"""more than the tail reads line by line"""


@pytest.fixture(scope="module", autouse=True)
def story(hands: Hands) -> None:
    """Have something to follow."""
    hands.done("mail")
    hands.create("reports")


def lines(page: Page, text: str) -> Locator:
    return page.locator("ol.tail > li").filter(has_text=text)


def test_the_tail_sees_what_happens(visit: Visit, hands: Hands) -> None:
    page = visit("log")
    expect(lines(page, "server.started")).to_have_count(1)
    created = lines(page, "arrivals")
    expect(created).to_have_count(0)
    job_id = hands.create("arrivals")
    expect(created).to_have_count(1)
    expect(created.get_by_role("link", name=re.compile(job_id[-4:]))).to_have_attribute(
        "href", f"#/jobs/{job_id}"
    )
    newest = page.locator("ol.tail > li").first
    expect(newest).to_contain_text("arrivals")


def test_a_paused_tail_stands_still_and_goes_on_where_it_was(visit: Visit, hands: Hands) -> None:
    page = visit("log")
    page.get_by_role("button", name="Pause").click()
    hands.create("meanwhile")
    expect(page.get_by_text("Paused, 1 record behind the end")).to_be_visible()
    expect(lines(page, "meanwhile")).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    expect(lines(page, "meanwhile")).to_have_count(1)


def test_filters_choose(visit: Visit, hands: Hands) -> None:
    page = visit("log")
    page.get_by_label("Event type").fill("job.completed")
    page.keyboard.press("Enter")
    expect(page.locator("ol.tail > li")).to_have_count(1)
    expect(lines(page, "job.completed")).to_have_count(1)
    done = hands.done("mail")
    expect(lines(page, "job.completed")).to_have_count(2)
    assert "type=job.completed" in page.url
    page.get_by_label("Job id").fill(done)
    page.keyboard.press("Enter")
    expect(page.locator("ol.tail > li")).to_have_count(1)
    page.get_by_label("Event type").fill("")
    page.keyboard.press("Enter")
    expect(page.locator("ol.tail > li")).to_have_count(3)
    page.get_by_label("Job id").fill("")
    page.get_by_label("Queue").fill("reports")
    page.keyboard.press("Enter")
    expect(lines(page, "job.completed")).to_have_count(0)
    expect(lines(page, "reports")).not_to_have_count(0)


def test_a_line_unfolds_and_stays_open(visit: Visit, hands: Hands) -> None:
    job_id = hands.create("unfolded", {"to": "somebody@example.com"})
    page = visit("log")
    line = lines(page, "unfolded")
    line.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(line).to_contain_text("somebody@example.com")
    hands.create("another")
    expect(lines(page, "another")).to_have_count(1)
    expect(line).to_contain_text("somebody@example.com")
    expect(line.get_by_role("button", expanded=True)).to_be_focused()
    line.get_by_role("link", name="As it was then").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Time machine")
    expect(page.locator("#time-job")).to_contain_text(job_id[-4:])


def test_what_comes_too_fast_is_skipped_and_told(visit: Visit, hands: Hands) -> None:
    page = visit("log")
    expect(page.get_by_text("Following the log")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused")).to_be_visible()
    for number in range(TOO_MANY):
        hands.create("flood", {"number": number})
    page.get_by_role("button", name="Resume").click()
    expect(
        page.get_by_text(re.compile(r"\d+ records skipped, since they came too fast"))
    ).to_be_visible()
    expect(page.locator("ol.tail .gap")).to_have_count(1)
    newest = hands.ask("GET", "/log/stat")["last"]
    expect(page.locator("ol.tail > li").first).to_contain_text(f"{newest:,}")


def test_files_and_integrity_are_told(visit: Visit, hands: Hands) -> None:
    page = visit("log?tab=files")
    expect(page.locator("#segments")).to_contain_text("00000000000000000001.log")
    expect(page.locator("#segments")).to_contain_text("growing")
    page.get_by_role("tab", name="Is it whole?").click()
    integrity = page.locator("#integrity")
    expect(integrity).to_contain_text(hands.ask("GET", "/log/stat")["chain"])
    expect(integrity).to_contain_text("always")
    expect(page.get_by_role("button", name="Copy spoolog log verify", exact=True)).to_be_visible()


def test_what_was_done_is_taken_back(visit: Visit, hands: Hands) -> None:
    hands.create("held")
    hands.pause("held", "by mistake")
    page = visit("log?type=queue.paused&queue=held")
    line = lines(page, "queue.paused")
    line.get_by_role("button").click()
    line.get_by_role("button", name="Take back…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("queue paused")
    dialog.get_by_role("button", name="Cancel").click()
    assert not hands.ask("GET", "/queues/held")["enabled"]
    line.get_by_role("button", name="Take back…").click()
    dialog.get_by_role("button", name="Take back 1").click()
    expect(page.get_by_text("1 taken back, in record")).to_be_visible()
    assert hands.ask("GET", "/queues/held")["enabled"]
    line.get_by_role("button", name="Take back…").click()
    expect(dialog).to_contain_text("Nothing can be taken back")
