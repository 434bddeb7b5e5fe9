"""A real Chromium, and a page that remembers what it complained of and what it asked for."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.support.stack import LocalStack, running_stack, server_options

DEBIAN = Path("/usr/bin/chromium")
# Quiet: nothing that a browser does of its own accord may look like the page's doing.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Visit:
    """A page, what it wrote to the console as a warning or worse, and the URLs that it asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def _hear(self, said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            self.complaints.append(f"{said.type}: {said.text}")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is. Asked for before anything else is started."""
    found = str(DEBIAN) if DEBIAN.exists() else shutil.which("chromium")
    if found is None:
        pytest.skip("there is no Chromium here")
    return found


@pytest.fixture(scope="session")
def stack(
    chromium: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[LocalStack]:
    """The whole system."""
    with running_stack(tmp_path_factory.mktemp("stack"), *server_options(request.config)) as running:
        yield running


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """A new page of nobody's: no cookies, no cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield Visit(context.new_page())
    context.close()
