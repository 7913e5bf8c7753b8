"""A Chromium for all tests, a `spoolog serve` for each module, a fresh profile for each test.

    def test_something(served: Served, hands: Hands, page: Page) -> None: …

`page` is signed in by the console's link, on a desktop, in light. `visit` opens further pages, in
other looks (`LOOKS`), or signed out. Whatever a page logs as an error, breaks of its policy or asks
of another host fails the test (`guard.allow` names what a test provokes). `shot` keeps a picture,
in the directory that SPOOLOG_SCREENSHOTS names.
"""

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from msgspec import Struct
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from tests.browser.guard import Guard
from tests.browser.hands import Hands
from tests.tools.workbench import ROOT, command, finished, listening

ARGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nothing but the server can be reached, whatever the page or the browser would like to.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
SIZES: Final[dict[str, ViewportSize]] = {
    "desktop": {"width": 1280, "height": 800},
    "phone": {"width": 390, "height": 844},
}
LOOKS: Final = [f"{size}-{theme}" for size in SIZES for theme in ("light", "dark")]
PATIENCE_MS: Final = 15_000
SCREENSHOTS: Final = Path(os.environ.get("SPOOLOG_SCREENSHOTS", ROOT / "build" / "screenshots"))
_LINK: Final = re.compile(r"(http://\S+/#key=\S+)")
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

Shot = Callable[[Page, str], None]
Check = Callable[[Page], None]

expect.set_options(timeout=PATIENCE_MS)


class Served(Struct, frozen=True):
    """A running server: where, its key, and the link that its first start printed."""

    url: str
    key: str
    link: str
    data_dir: Path


class Visit(Struct, frozen=True):
    """Opens pages in contexts of their own, which the fixture closes."""

    open: Callable[[str], Page]
    served: Served

    def __call__(
        self,
        address: str = "overview",
        *,
        look: str = "desktop-light",
        signed_in: bool = True,
    ) -> Page:
        """Open the screen at an address behind ``#/``, and wait until it shows something."""
        page = self.open(look)
        page.goto(self.served.link if signed_in else self.served.url)
        if signed_in:
            settled(page)
            if address != "overview":
                page.goto(f"{self.served.url}/#/{address}")
                settled(page)
        return page


def settled(page: Page) -> None:
    """Wait until a screen shows what it has loaded."""
    expect(page.locator("#screen[aria-busy=false] > *")).not_to_have_count(0)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give a Chromium, started once."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    assert path is not None, "no Chromium was found: run `make test-browser`, or set CHROMIUM"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield launched
        launched.close()


@contextmanager
def serving(data_dir: Path) -> Iterator[Served]:
    """Run a server for the first time on a data directory; it must also end well."""
    with command("serve", "--port", "0", "--data-dir", data_dir) as process:
        url = listening(process)
        assert process.stderr is not None
        found = next(filter(None, map(_LINK.search, process.stderr)), None)
        assert found is not None, "the first start prints a link that signs in"
        yield Served(url, (data_dir / "api-key").read_text().strip(), found[1], data_dir)
        errors = finished(process, after=signal.SIGTERM)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors, errors


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run a server with an empty log."""
    with serving(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture(scope="module")
def hands(served: Served) -> Hands:
    """Give what creates jobs, and works on them, over HTTP."""
    return Hands(served.url, served.key)


@pytest.fixture
def guards() -> Iterator[list[Guard]]:
    """Give the guards of all pages of a test, which must have nothing to complain about."""
    found: list[Guard] = []
    yield found
    assert [complaint for guard in found for complaint in guard.complaints] == []


@pytest.fixture
def visit(browser: Browser, served: Served, guards: list[Guard]) -> Iterator[Visit]:
    """Give what opens further pages, each in a profile of its own."""
    contexts: list[BrowserContext] = []

    def opened(look: str) -> Page:
        size, _, theme = look.partition("-")
        context = browser.new_context(
            viewport=SIZES[size],
            is_mobile=size == "phone",
            has_touch=size == "phone",
            color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        guards.append(Guard(context, served.url))
        return context.new_page()

    yield Visit(opened, served)
    for context in contexts:
        context.close()


@pytest.fixture
def page(visit: Visit) -> Page:
    """Give the overview, signed in, on a desktop, in light."""
    return visit()


@pytest.fixture
def guard(page: Page, guards: list[Guard]) -> Guard:
    """Give the guard of `page`."""
    return guards[0]


@pytest.fixture
def shot() -> Shot:
    """Give what keeps a picture of a whole page, for people to look at."""

    def take(page: Page, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    return take


@pytest.fixture(scope="session")
def accessible() -> Check:
    """Give what fails when axe-core finds something serious."""
    axe = Axe()

    def check(page: Page) -> None:
        found = axe.run(page).response["violations"]
        grave = [
            f"{one['id']} ({one['impact']}): {node['html']}"
            for one in found
            if one["impact"] in {"serious", "critical"}
            for node in one["nodes"]
        ]
        assert grave == []

    return check
