"""The list of jobs when there are a hundred thousand of them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.hands import Hands

REQUESTS: Final = 1_000
JOBS: Final = 100 * REQUESTS
BATCH: Final = "batch-{:04d}-of-all"


@pytest.fixture(scope="module", autouse=True)
def _many(hands: Hands) -> None:
    def create(number: int) -> None:
        hands.create_many(f"queue-{number % 10}", 100, batch=BATCH.format(number), job_type="bulk")

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(create, range(REQUESTS)))
    hands.dead("rare", "Disk 7 is full")


def test_filters_find_few_among_many(visit: Visit) -> None:
    page = visit("jobs")
    expect(rows(page)).to_have_count(50)
    for text, found in {
        f"payload:{BATCH.format(77)}": 50,
        f'payload:{BATCH.format(77)} payload:"x"': None,
        f"queue:queue-8 payload:{BATCH.format(77)}": 0,
        'kind:"Disk <n> is full"': 1,
        "error:FULL status:deadletter": 1,
        "rare": 1,
        "type:bulk since:1h queue:queue-3": 50,
    }.items():
        page.get_by_role("combobox", name="Filter").fill(text)
        page.keyboard.press("Enter")
        if found is None:
            expect(page.get_by_role("alert")).to_contain_text("payload can be given once")
        elif found == 0:
            expect(page.locator("#jobs")).to_contain_text("No job matches")
        else:
            expect(rows(page)).to_have_count(found)


def test_all_that_match_are_counted(visit: Visit) -> None:
    page = visit("jobs?q=queue%3Aqueue-4")
    page.get_by_role("checkbox", name="Select all on this page").check()
    page.get_by_role("button", name="Select all that match").click()
    expect(page.locator("#jobs")).to_contain_text(f"All {JOBS // 10:,} that match are selected")
    page.get_by_role("button", name="Cancel…").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"{JOBS // 10:,} jobs")


def rows(page: Page) -> Locator:
    return page.locator("#jobs tbody").get_by_role("row")
