"""The hash chain of history, as an auditor and an operator use it."""

import subprocess
import sys
import time
from typing import Any

import pytest


@pytest.fixture
def admin(stack):
    account = stack.endpoints["admin"]
    return stack.api.login(account["email"], account["password"])


@pytest.fixture
def command(stack):
    """Function that runs a command of task_service against the stack; returns its exit status and its output."""

    def run(name, *arguments):
        local = [sys.executable, "-m", "deploy.local", "command", "--data-dir", str(stack.data_dir)]
        found = subprocess.run(
            [*local, f"task_service.commands.{name}", *arguments], capture_output=True, text=True, check=False
        )
        return found.returncode, found.stdout + found.stderr

    return run


def wait_for_head(admin, event_id) -> dict[str, Any]:
    """Return the chain head when it covers the event."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        head = admin.get("/api/v1/audit/head").json()
        if head["newest_event_id"] >= event_id:
            return head
        time.sleep(0.1)
    pytest.fail("the event was not sealed")


def test_stored_head_verifies_history_after_erasure(user, admin, command):
    """An auditor stores the chain head. After an erasure history still matches it, and a false head fails."""
    task = user.http.post("/api/tasks", json={"title": "Private"}).json()
    events = f"/api/v1/tasks/{task['id']}/events"
    (event,) = user.http.get(events).json()["events"]
    assert {"field": "title", "old": "", "new": "Private", "erased": False} in event["changes"]
    head = wait_for_head(admin, event["id"])
    assert list(head) == ["number", "hash", "events", "newest_event_id", "sealed_at"]
    assert command("erase", "--owner", user.id) == (0, "Erased the free text of 1 events.\n")
    (event,) = user.http.get(events).json()["events"]
    assert {"field": "title", "old": "", "new": "", "erased": True} in event["changes"]
    status, output = command("verify", "--head", f"{head['number']}:{head['hash']}")
    assert (status, output.startswith("History is whole: ")) == (0, True), output
    status, output = command("verify", "--head", f"{head['number']}:{'0' * 64}")
    assert (status, "rewritten" in output) == (1, True), output


def test_audit_head_is_for_admins_only(user):
    assert user.http.get("/api/v1/audit/head").status_code == 403
