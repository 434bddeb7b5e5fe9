"""The documentation page as the person before it uses it."""

import json
import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

# The services are real, and the machine may be busy.
PATIENCE = 30_000


class DocsPage:
    """GET /docs of a running system."""

    def __init__(self, page: Page, url: str) -> None:
        self._page = page
        page.goto(f"{url}/docs")
        expect(page.get_by_role("heading", name="Task manager")).to_be_visible(timeout=PATIENCE)

    def operations(self) -> set[tuple[str, str]]:
        """Method and path of every operation listed."""
        listed = self._page.locator(".opblock-summary").all()
        return {
            (
                one.locator(".opblock-summary-method").inner_text().lower(),
                one.locator("[data-path]").get_attribute("data-path") or "",
            )
            for one in listed
        }

    def open(self, method: str, path: str) -> Locator:
        """Opens an operation."""
        operation = self._page.locator(f".opblock-{method}").filter(has=self._page.locator(f'[data-path="{path}"]'))
        operation.locator(".opblock-summary-control").click()
        return operation

    def send(self, method: str, path: str, body: dict[str, str] | None = None) -> tuple[int, Any]:
        """Opens an operation, fills in a body, executes; the answer as the page shows it, status and JSON."""
        operation = self.open(method, path)
        if body is not None:
            operation.locator("textarea.body-param__text").fill(json.dumps(body))
        return self.execute(operation)

    def execute(self, operation: Locator) -> tuple[int, Any]:
        """Executes what is filled in."""
        operation.get_by_role("button", name="Execute").click()
        answer = operation.locator(".live-responses-table tbody tr.response")
        status = answer.locator(".response-col_status")
        expect(status).to_have_text(re.compile(r"^\d{3}"), timeout=PATIENCE)
        shown = answer.locator(".highlight-code code").inner_text()
        return int(status.inner_text()[:3]), json.loads(shown)

    def authorize(self, token: str) -> None:
        """Gives the page a token, by its button and dialog."""
        self._page.locator(".auth-wrapper .authorize").first.click()
        dialog = self._page.locator(".dialog-ux")
        dialog.locator("input").fill(token)
        dialog.get_by_role("button", name="Apply credentials").click()
        dialog.locator(".close-modal").click()
        expect(dialog).not_to_be_visible()
