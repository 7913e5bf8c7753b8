"""The list of jobs, one job, enqueueing by hand, and the workers, in a browser."""

import json
import re
from typing import Any, Final

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import LOOKS, Check, Shot, Visit, settled
from tests.browser.guard import Guard
from tests.browser.hands import Hands

HOSTILE: Final = '<img src=x onerror="window.hacked=1">'
TRACE: Final = f"SMTP 451 from 10.0.0.7: try later\n  at {HOSTILE}"
FILTER: Final = "Filter"
NO_POLLING: Final = """
const real = window.setTimeout;
window.setTimeout = (work, ms, ...rest) => ms >= 1000 ? 0 : real(work, ms, ...rest);
"""


@pytest.fixture(scope="module")
def dead(hands: Hands) -> str:
    """Have a job that failed for good, and some of everything else."""
    hands.register()
    for _ in range(2):
        hands.done("mail", payload={"job_type": "send", "to": "alice"})
    failed = hands.dead("mail", TRACE, payload={"to": HOSTILE}, tags=["urgent", HOSTILE])
    hands.create_many("reports", 60)
    hands.create("later", scheduled_at="2099-01-01T00:00:00Z")
    return failed


@pytest.fixture(scope="module")
def screens(hands: Hands, dead: str) -> dict[str, str]:
    """Give the address of each screen, and of what it can look like."""
    (running,) = hands.claim("reports", lease_duration_secs=3600)
    return {
        "jobs": "jobs",
        "jobs-filtered": "jobs?q=status%3Adeadletter+error%3A%22try+later%22",
        "jobs-misread": "jobs?q=status%3Aodd",
        "job-dead": f"jobs/{dead}",
        "job-running": f"jobs/{running['id']}",
        "enqueue": f"enqueue?like={dead}",
        "workers": "workers",
    }


@pytest.mark.parametrize("look", LOOKS)
def test_every_screen_is_sound(
    visit: Visit, shot: Shot, accessible: Check, screens: dict[str, str], look: str
) -> None:
    page = visit("jobs", look=look)
    for name, address in screens.items():
        page.evaluate(f"location.hash = '#/{address}'")
        settled(page)
        shot(page, f"{name}-{look}")
        accessible(page)
        over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert over <= 0, f"{name} is wider than its window"


def test_three_clicks_to_why_a_job_failed(visit: Visit, dead: str) -> None:
    page = visit()
    page.locator("#failures").get_by_role("link", name="Jobs with this error").click()
    page.get_by_role("link", name=short(dead)).click()
    first = page.locator("#screen section").first
    expect(first.get_by_role("heading")).to_have_text("Why it failed")
    expect(first).to_contain_text("SMTP 451 from 10.0.0.7: try later")
    expect(first).to_contain_text("attempt 1")
    expect(first).to_be_in_viewport()


def test_texts_of_jobs_stay_texts(visit: Visit, dead: str) -> None:
    page = visit(f"jobs/{dead}")
    expect(page.locator("#failure")).to_contain_text(HOSTILE)
    expect(page.locator("#payload")).to_contain_text("window.hacked=1")
    expect(page.locator("#timeline")).to_contain_text("<img src=x")
    expect(page.locator("#details")).to_contain_text(HOSTILE)
    page.goto(f"{page.url.partition('#')[0]}#/enqueue?like={dead}")
    expect(page.get_by_label("Payload")).to_have_value(re.compile("onerror"))
    assert page.locator("#screen img").count() == 0
    assert page.evaluate("window.hacked") is None


def test_the_filter_by_keyboard_alone(visit: Visit, dead: str) -> None:
    page = visit("jobs")
    field = page.get_by_role("combobox", name=FILTER)
    field.focus()
    page.keyboard.type("st")
    options = page.get_by_role("listbox", name="Suggestions").get_by_role("option")
    expect(options).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    active = field.get_attribute("aria-activedescendant")
    assert active == options.first.get_attribute("id")
    page.keyboard.press("Enter")
    expect(field).to_have_value("status:")
    expect(options).to_have_count(7)
    page.keyboard.type("dea")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(field).to_have_value("status:deadletter ")
    expect(field).to_have_attribute("aria-expanded", "false")
    expect(rows(page)).to_have_count(1)
    page.keyboard.type("qu")
    expect(options).to_have_count(1)
    page.keyboard.press("Escape")
    expect(field).to_have_attribute("aria-expanded", "false")
    expect(field).to_be_focused()
    page.keyboard.type("eue:nowhere")
    page.keyboard.press("Enter")
    expect(page.locator("#jobs")).to_contain_text("No job matches")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Remove queue:nowhere")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name=short(dead))).to_be_visible()
    assert page.evaluate("decodeURIComponent(location.hash)") == "#/jobs?q=status:deadletter"


def test_what_a_filter_cannot_mean_is_told_and_nothing_is_shown(visit: Visit) -> None:
    page = visit("jobs?q=status%3Aodd+since%3Ayesterday")
    told = page.get_by_role("alert")
    expect(told).to_contain_text("there is no “odd”")
    expect(told).to_contain_text("“yesterday” is neither")
    expect(page.get_by_role("table")).to_have_count(0)
    assert page.get_by_role("button", name="Delete…").count() == 0


def test_each_field_narrows(visit: Visit, hands: Hands) -> None:
    fields: dict[str, Any] = {"tags": ["vip"], "payload": {"job_type": "bill"}}
    wanted = hands.dead("fields", "Disk 7 is full", **fields)
    hands.dead("fields", "Disk is gone")
    hands.create("fields", payload={"job_type": "other"})
    page = visit("jobs")
    for text in (
        "queue:fields tag:vip",
        "queue:fields type:bill",
        'queue:fields payload:"\\"bill\\""',
        'error:"DISK 7"',
        'kind:"Disk <n> is full"',
        "queue:fields status:failed,deadletter since:2h bill",
        wanted[:23],
    ):
        page.get_by_role("combobox", name=FILTER).fill(text)
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name=short(wanted))).to_be_visible()
        if text != wanted[:23]:
            expect(rows(page)).to_have_count(1)
    page.get_by_role("combobox", name=FILTER).fill("queue:fields before:2h")
    page.keyboard.press("Enter")
    expect(page.locator("#jobs")).to_contain_text("No job matches")


def test_orders_and_pages_are_in_the_address(visit: Visit, hands: Hands) -> None:
    hands.create_many("paged", 60)
    page = visit("jobs?q=queue%3Apaged")
    expect(rows(page)).to_have_count(50)
    page.get_by_role("button", name="Next").click()
    expect(rows(page)).to_have_count(10)
    page.reload()
    settled(page)
    expect(rows(page)).to_have_count(10)
    page.get_by_role("button", name="Created").click()
    expect(page.get_by_role("columnheader", name="Created")).to_have_attribute(
        "aria-sort", "ascending"
    )
    expect(rows(page)).to_have_count(50)
    assert "offset" not in page.url
    page.go_back()
    expect(rows(page)).to_have_count(10)


def test_selected_jobs_are_retried_after_they_are_counted(visit: Visit, hands: Hands) -> None:
    ids = [hands.dead("bulk", f"no {number}") for number in range(3)]
    waiting = hands.create("bulk")
    page = visit("jobs?q=queue%3Abulk")
    page.get_by_role("checkbox", name=f"Select {ids[0]}").check()
    page.get_by_role("checkbox", name=f"Select {waiting}").check()
    page.get_by_role("button", name="Retry…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 job")
    expect(dialog).to_contain_text("2 jobs match")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert hands.ask("GET", f"/jobs/{ids[0]}")["status"] == "deadletter"
    page.get_by_role("button", name="Retry…").click()
    page.get_by_role("button", name="Retry 1").click()
    expect(page.locator("#toasts")).to_contain_text("1 job sent back")
    states = [hands.ask("GET", f"/jobs/{job_id}")["status"] for job_id in ids]
    assert states == ["pending", "deadletter", "deadletter"]


def test_all_that_match_are_more_than_the_page(visit: Visit, hands: Hands) -> None:
    hands.create_many("many", 70)
    hands.create_many("spared", 5)
    page = visit("jobs?q=queue%3Amany")
    page.get_by_role("checkbox", name="Select all on this page").check()
    page.get_by_role("button", name="Select all that match").click()
    expect(page.locator("#jobs")).to_contain_text("All 70 that match are selected")
    page.get_by_role("button", name="Change priority…").click()
    page.get_by_label("Priority", exact=True).fill("7")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Change priority 70").click()
    expect(page.locator("#toasts")).to_contain_text("70 jobs changed")
    page.get_by_role("checkbox", name="Select all on this page").check()
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel 50").click()
    expect(page.locator("#toasts")).to_contain_text("50 jobs cancelled")
    assert counted(hands, "many") == {"cancelled": 50, "pending": 20}
    assert counted(hands, "spared") == {"pending": 5}


def test_rows_stay_while_something_is_selected(visit: Visit, hands: Hands) -> None:
    first = hands.create("still")
    page = visit("jobs?q=queue%3Astill")
    page.get_by_role("checkbox", name=f"Select {first}").check()
    hands.create_many("still", 50)
    (job,) = hands.claim("still")
    hands.complete(job)
    held = page.locator("#jobs .notice")
    expect(held).to_contain_text("1 row")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("completed")
    expect(page.get_by_role("checkbox", name=f"Select {first}")).to_be_checked()
    held.get_by_role("button").click()
    expect(rows(page)).to_have_count(50)


def test_from_enqueueing_to_the_end_without_a_reload(visit: Visit, hands: Hands) -> None:
    page = visit("enqueue")
    page.get_by_label("Queue", exact=True).fill("by-hand")
    payload = page.get_by_label("Payload")
    payload.fill('{\n  "to": "alice",\n}')
    expect(page.locator("#payload-told")).to_have_text(
        "Expected a name in double quotes, line 3, column 1"
    )
    page.get_by_role("button", name="Enqueue").click()
    expect(payload).to_be_focused()
    payload.fill('{"to": "alice"}')
    page.get_by_label("Tags").fill("one, two")
    page.get_by_label("Idempotency key").fill("once")
    page.get_by_role("button", name="Enqueue").click()
    made = page.locator("#made")
    expect(made).to_contain_text("1 job created")
    page.get_by_label("Times").fill("2")
    page.get_by_role("button", name="Enqueue").click()
    expect(made).to_contain_text("2 met before")
    made.get_by_role("listitem").get_by_role("link").click()

    job_id = page.url.rpartition("/")[2]
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator("#explain")).to_contain_text("ready")
    (job,) = hands.claim("by-hand", lease_duration_secs=300)
    assert (job["id"], job["payload"], job["tags"]) == (job_id, {"to": "alice"}, ["one", "two"])
    expect(page.locator("#details")).to_contain_text("worker-1")
    expect(page.locator("#details")).to_contain_text("Lease ends")
    hands.complete(job, result={"sent": 1})
    expect(page.locator("#result")).to_contain_text("sent")
    expect(page.locator("#live")).to_have_count(0)
    events = page.locator("#timeline tbody").get_by_role("row")
    expect(events).to_have_count(3)
    for event, name in zip(events.all(), ("created", "claimed", "completed"), strict=True):
        expect(event).to_contain_text(name)
    expect(page.locator("#attempts tbody tr")).to_have_count(1)
    assert page.locator("#attempts rect").count() == 2


def test_a_change_is_seen_at_once_by_the_stream(visit: Visit, hands: Hands) -> None:
    job_id = hands.create("stream")
    page = visit.open("desktop-light")
    page.add_init_script(NO_POLLING)
    page.goto(visit.served.link)
    settled(page)
    page.evaluate(f"location.hash = '#/jobs/{job_id}'")
    expect(page.locator("#live")).to_have_text("live")
    (job,) = hands.claim("stream")
    expect(page.locator("#screen .badge").first).to_have_text("processing")
    hands.fail(job, "again later")
    expect(page.locator("#failure")).to_contain_text("again later")


def test_without_a_stream_it_is_polled(visit: Visit, hands: Hands, guards: list[Guard]) -> None:
    job_id = hands.create("polled")
    page = visit("jobs")
    guards[0].allow("/events/jobs/")
    page.route("**/events/jobs/**", lambda route: route.abort())
    page.evaluate(f"location.hash = '#/jobs/{job_id}'")
    expect(page.locator("#live")).to_have_text("every 2 s")
    (job,) = hands.claim("polled")
    hands.complete(job)
    expect(page.locator("#screen .badge").first).to_have_text("completed")


def test_one_job_is_changed_and_sent_back(visit: Visit, hands: Hands) -> None:
    job_id = hands.create("single")
    page = visit(f"jobs/{job_id}")
    page.get_by_role("button", name="Priority…").click()
    page.get_by_label("Priority", exact=True).fill("9")
    page.keyboard.press("Enter")
    expect(page.locator("#timeline")).to_contain_text("priority changed")
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_label("Reason", exact=True).fill("a mistake")
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.locator("#failure")).to_contain_text("a mistake")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Jobs")
    dead = hands.dead("single", "no luck")
    page.evaluate(f"location.hash = '#/jobs/{dead}'")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("#timeline")).to_contain_text("retried")
    assert hands.ask("GET", f"/jobs/{dead}")["status"] == "pending"


def test_what_someone_did_is_taken_back(visit: Visit, hands: Hands) -> None:
    ids = hands.create_many("undone", 3)
    hands.ask("POST", "/jobs/actions", {"action": "cancel", "filter": {"queue_name": "undone"}})
    page = visit(f"jobs/{ids[0]}")
    events = page.locator("#timeline tbody").get_by_role("row")
    expect(events).to_have_count(2)
    created, cancelled = events.all()
    expect(created.get_by_role("button", name="Take back…")).to_have_count(0)
    cancelled.get_by_role("button", name="Take back…").click()
    expect(page.get_by_role("dialog")).to_contain_text("3 jobs")
    page.get_by_role("button", name="Take back 3").click()
    expect(page.locator("#timeline")).to_contain_text("taken back to before")
    assert counted(hands, "undone") == {"pending": 3}


def test_requests_are_copied_without_the_key(visit: Visit, hands: Hands, dead: str) -> None:
    page = visit("jobs?q=queue%3Amail")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.locator("#toasts")).to_contain_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert f"{hands.url}/api/v1/jobs?queue_name=mail" in copied
    assert "$SPOOLOG_API_KEY" in copied
    assert hands.key not in copied
    page.evaluate(f"location.hash = '#/jobs/{dead}'")
    settled(page)
    page.get_by_role("group", name="Actions").get_by_role("button", name="Copy as curl").click()
    expect(page.locator("#toasts > *")).to_have_count(2)
    copied = page.evaluate("navigator.clipboard.readText()")
    body = json.loads(copied.partition("-d '")[2].rstrip("'"))
    assert body["payload"] == {"to": HOSTILE}
    assert "curl -X POST" in copied


def test_workers_are_told(visit: Visit, hands: Hands) -> None:
    hands.register("worked", hostname="host-9")
    page = visit("workers")
    line = page.get_by_role("row").filter(has_text="worked")
    expect(line).to_contain_text("healthy")
    expect(line).to_contain_text("host-9")


def test_workers_at_work_are_told_though_they_never_announced_themselves(
    visit: Visit, hands: Hands
) -> None:
    for _ in range(2):
        hands.create("toil")
    (done,), (_held,) = hands.claim("toil"), hands.claim("toil")
    hands.complete(done)
    page = visit("workers")
    line = page.locator("#claimants").get_by_role("row").filter(has_text="toil")
    for label, told in {"Holds": "1", "Claimed": "2", "Completed": "1", "Failed": "0"}.items():
        expect(line.locator(f"[data-label='{label}']")).to_have_text(told)


def rows(page: Page) -> Locator:
    return page.locator("#jobs tbody").get_by_role("row")


def short(job_id: str) -> str:
    return f"{job_id[:8]}…{job_id[-4:]}"


def counted(hands: Hands, queue: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for job in hands.ask("GET", f"/jobs?queue_name={queue}&limit=100"):
        found[job["status"]] = found.get(job["status"], 0) + 1
    return found
