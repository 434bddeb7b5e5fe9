"""Page object of the documentation page."""

import json
import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

# Long, because the services are real and the machine may be busy.
TIMEOUT_MILLISECONDS = 30_000


class DocsPage:
    """GET /docs of a running stack."""

    def __init__(self, page: Page, url: str) -> None:
        self._page = page
        page.goto(f"{url}/docs")
        expect(page.get_by_role("heading", name="Task manager")).to_be_visible(timeout=TIMEOUT_MILLISECONDS)

    def operations(self) -> set[tuple[str, str]]:
        """Return the method and path of every listed operation."""
        summaries = self._page.locator(".opblock-summary").all()
        return {
            (
                summary.locator(".opblock-summary-method").inner_text().lower(),
                summary.locator("[data-path]").get_attribute("data-path") or "",
            )
            for summary in summaries
        }

    def open(self, method: str, path: str) -> Locator:
        """Open an operation."""
        operation = self._page.locator(f".opblock-{method}").filter(has=self._page.locator(f'[data-path="{path}"]'))
        operation.locator(".opblock-summary-control").click()
        return operation

    def send(self, method: str, path: str, body: dict[str, str] | None = None) -> tuple[int, Any]:
        """Open an operation, fill in the body and execute it. Return the status and the JSON that the page shows."""
        operation = self.open(method, path)
        if body is not None:
            operation.locator("textarea.body-param__text").fill(json.dumps(body))
        return self.execute(operation)

    def execute(self, operation: Locator) -> tuple[int, Any]:
        """Execute an open operation. Return the status and the JSON that the page shows."""
        operation.get_by_role("button", name="Execute").click()
        response = operation.locator(".live-responses-table tbody tr.response")
        status = response.locator(".response-col_status")
        expect(status).to_have_text(re.compile(r"^\d{3}"), timeout=TIMEOUT_MILLISECONDS)
        body = response.locator(".highlight-code code").inner_text()
        return int(status.inner_text()[:3]), json.loads(body)

    def authorize(self, token: str) -> None:
        """Enter a token in the Authorize dialog."""
        self._page.locator(".auth-wrapper .authorize").first.click()
        dialog = self._page.locator(".dialog-ux")
        dialog.locator("input").fill(token)
        dialog.get_by_role("button", name="Apply credentials").click()
        dialog.locator(".close-modal").click()
        expect(dialog).not_to_be_visible()
