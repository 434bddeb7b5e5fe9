"""docs/backup.md: its commands back up a running system, and restore it into a bare cluster."""

import os
import threading
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.support.documented_commands import Shell, steps
from tests.support.stack import running_stack
from tests.support.users import User
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
FILE = b"title\n" + b"".join(b"Row %d\n" % number for number in range(500))


@pytest.fixture
def folder(stack, tmp_path):
    """Folder that looks like a clone in which `make run` runs."""
    for entry in ROOT.iterdir():
        if entry.name not in {"data", "backups", ".git"}:
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "data").symlink_to(stack.data_dir)
    return tmp_path


@pytest.fixture
def writer(user: User):
    """User who creates tasks all the time; yields the ids of those that were confirmed."""
    confirmed: list[str] = []
    stopped = threading.Event()

    def write() -> None:
        while not stopped.is_set():
            response = user.http.post("/api/v1/tasks", json={"title": f"Task {len(confirmed)}"})
            confirmed.append(response.json()["id"])

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield confirmed
    finally:
        stopped.set()
        thread.join()


def test_documented_commands_restore_the_system(stack, user, writer, folder):
    """The backup is made under writes. It has whatever was confirmed before, and the restored system goes on."""
    imported = user.wait_for_import(user.upload(FILE)["id"])
    wait_until(lambda: len(writer) > 10)
    before = list(writer)
    # This test may run below `make`, which would make the page's `make` print the folder.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    with Shell(folder, environment) as shell:
        for step in steps((ROOT / "docs" / "backup.md").read_text()):
            shell.check(step)
    with (
        running_stack(folder / "data-restored") as restored,
        httpx.Client(base_url=restored.url, headers=user.http.headers, timeout=60) as api,
    ):
        ids = [row[0] for row in restored.sql("SELECT id::text FROM tasks.tasks")]
        assert set(before) <= set(ids)
        assert len(ids) == len(set(ids))
        found = api.get(f"/api/v1/imports/{imported['id']}").json()
        assert (found["state"], found["rows_created"]) == ("succeeded", 500)
        assert api.post("/api/v1/tasks", json={"title": "after"}).status_code == 201
        assert (folder / "data-restored" / "uploads" / "uploads" / f"{imported['id']}.csv").read_bytes() == FILE
