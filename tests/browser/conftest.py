"""A real Chromium, and a page that records its console errors and its requests."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.browser.origins import serving_page
from tests.support.stack import LocalStack, running_stack, server_options

DEBIAN_CHROMIUM = Path("/usr/bin/chromium")
# Disable the browser's own requests, so that every recorded request is one of the page.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class RecordedPage:
    """A page with its console warnings and errors, and the URLs that it has requested."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.console_errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._record_message)
        page.on("pageerror", lambda error: self.console_errors.append(f"uncaught: {error}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def _record_message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.console_errors.append(f"{message.type}: {message.text}")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of Chromium. It is the first fixture, so that a missing browser skips the test before the stack starts."""
    path = str(DEBIAN_CHROMIUM) if DEBIAN_CHROMIUM.exists() else shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed")
    return path


@pytest.fixture(scope="session")
def listed_origin() -> Iterator[str]:
    """The origin of a page that may call the API."""
    with serving_page() as origin:
        yield origin


@pytest.fixture(scope="session")
def unlisted_origin() -> Iterator[str]:
    """The origin of a page that may not call the API."""
    with serving_page() as origin:
        yield origin


@pytest.fixture(scope="session")
def stack(
    chromium: str, listed_origin: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[LocalStack]:
    """The whole system."""
    data_dir = tmp_path_factory.mktemp("stack")
    with running_stack(data_dir, *server_options(request.config), GATEWAY_CORS_ORIGINS=listed_origin) as running:
        yield running


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def recorded_page(browser: Browser) -> Iterator[RecordedPage]:
    """A page without cookies and cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield RecordedPage(context.new_page())
    context.close()
