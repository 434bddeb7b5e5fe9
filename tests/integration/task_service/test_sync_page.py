"""docs/sync.md: its program, as it is printed, keeps a copy up to date while everything changes."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import history_service_pb2

from tests.integration.task_service.calls import batch_create, create, delete, list_all_events, undelete, update
from tests.integration.task_service.import_calls import upload
from tests.integration.task_service.undo_calls import run_undo
from tests.support.replay import assert_events_give_every_task
from tests.support.rest import rest_client
from tests.support.system import Principal
from tests.support.waiting import until

PAGE = Path(__file__).parents[3] / "docs" / "sync.md"
UPDATE = import_service_pb2.UploadOptions.ON_DUPLICATE_UPDATE


@asynccontextmanager
async def running_program(folder: Path, url: str, user: Principal):
    """Run the page's program in a folder until the end of the context, which kills it."""
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    environment = {**os.environ, "TASKMANAGER_URL": url, "TASKMANAGER_TOKEN": user.token}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, cwd=folder, env=environment)
    try:
        yield
        assert process.returncode is None
    finally:
        process.kill()
        await process.wait()


async def test_program_prints_the_error_of_the_server(system, sonu, tmp_path):
    """A wrong token is explained instead of shown as a stack trace."""
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    async with rest_client(system, sonu) as rest:
        url = str(rest.base_url).partition("/api/v1")[0]
        environment = {**os.environ, "TASKMANAGER_URL": url, "TASKMANAGER_TOKEN": "x"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, cwd=tmp_path, env=environment, stderr=asyncio.subprocess.PIPE
        )
        _, err = await process.communicate()
    assert json.loads(err)["error"]["status"] == "UNAUTHENTICATED"


def copy_in(folder: Path) -> dict[str, Any]:
    """Return the program's copy of the tasks; nothing before the first one."""
    file = folder / "tasks.json"
    return json.loads(file.read_text())["tasks"] if file.exists() else {}


async def all_tasks(rest: httpx.AsyncClient, user: Principal) -> dict[str, Any]:
    found: dict[str, Any] = {}
    token = None
    headers = {"authorization": f"Bearer {user.token}"}
    while token != "":
        page = (await rest.get("/tasks", params={"page_size": 200, "page_token": token or ""}, headers=headers)).json()
        found |= {task["id"]: task for task in page["tasks"]}
        token = page["next_page_token"]
    return found


async def change_tasks(system, owner: Principal, others: list[Principal], *, turns: int) -> None:
    """Create, assign, change, unassign, delete and restore tasks."""
    for turn in range(turns):
        task = await create(system, owner, title=f"{turn}", assignee_id=others[turn % 2].id if turn % 3 else "")
        await update(system, owner, task.id, title=f"{turn} changed", assignee_id=others[(turn + 1) % 2].id)
        await update(system, others[(turn + 1) % 2], task.id, status=2)
        if turn % 2:
            await update(system, owner, task.id, assignee_id="", description="later")
        if turn % 4 > 1:
            await delete(system, owner, task.id)
        if turn % 4 == 3:
            await undelete(system, owner, task.id)


async def import_and_undo(system, process_queue, user: Principal) -> None:
    """Import 300 rows, change them by a second import and undo it; undo an import of 150 new rows."""
    rows = "".join(f"{number},Imported {number},{('mina', 'theo', '')[number % 3]}\n" for number in range(300))
    await upload(system, user, f"external_id,title,assignee\n{rows}".encode())
    await process_queue()
    changed = rows.replace("Imported", "Changed").replace("mina", "").replace("theo", "mina")
    second = await upload(system, user, f"external_id,title,assignee\n{changed}".encode(), on_duplicate=UPDATE)
    third = await upload(system, user, ("title,assignee\n" + "New,theo\n" * 150).encode())
    await process_queue()
    assert await run_undo(system, user, second.id) == (0, 300, 0)
    assert await run_undo(system, user, third.id) == (150, 0, 0)


class Follower:
    """Reads a user's events by cursor until it is told to stop."""

    def __init__(self, system, user: Principal) -> None:
        self._system, self._user = system, user
        self.events: list[history_service_pb2.TaskEvent] = []
        self._cursor = "-"

    async def read(self) -> None:
        """Read all events that there are, in small pages."""
        while True:
            request = history_service_pb2.ListEventsRequest(cursor=self._cursor, page_size=7)
            page = await self._system.history.ListEvents(request, metadata=self._user.metadata)
            self.events += page.events
            self._cursor = page.next_cursor
            if not page.next_page_token:
                return

    async def read_until(self, has_ended: Callable[[], bool]) -> None:
        while not has_ended():
            await self.read()
        await self.read()


@pytest.mark.timeout(180)
async def test_program_of_the_page_keeps_its_copy(system, sonu, process_queue, command, database, tmp_path):
    """Users, imports and undos change tasks. One program is killed and restarted meanwhile, and all cursors expire."""
    mina, theo = await system.new_user("mina"), await system.new_user("theo")
    people: Mapping[str, Principal] = {"sonu": sonu, "mina": mina, "theo": theo}
    for name in people:
        (tmp_path / name).mkdir()
    await batch_create(system, sonu, [{"title": f"before {number}", "assignee_id": mina.id} for number in range(40)])
    async with rest_client(system, sonu) as rest:
        url = str(rest.base_url).removesuffix("/").removesuffix("/api/v1")

        async def is_equal(name: str) -> bool:
            return copy_in(tmp_path / name) == await all_tasks(rest, people[name])

        async def wait_for_copies() -> None:
            async with asyncio.timeout(60):
                while not all([await is_equal(name) for name in people]):
                    pass

        async with running_program(tmp_path / "sonu", url, sonu), running_program(tmp_path / "theo", url, theo):
            followers = {name: Follower(system, person) for name, person in people.items()}
            async with running_program(tmp_path / "mina", url, mina):
                await until(lambda: len(copy_in(tmp_path / "mina")) >= 40)
                writing = asyncio.gather(
                    change_tasks(system, sonu, [mina, theo], turns=30),
                    change_tasks(system, mina, [theo, sonu], turns=30),
                    change_tasks(system, theo, [sonu, mina], turns=30),
                    import_and_undo(system, process_queue, sonu),
                )
                reading = asyncio.gather(*(one.read_until(writing.done) for one in followers.values()))
                await until(lambda: len(copy_in(tmp_path / "mina")) != 40)
            async with running_program(tmp_path / "mina", url, mina):
                await writing
                await reading
                await wait_for_copies()
                before = [one for one in copy_in(tmp_path / "mina").values() if one["title"].startswith("before")]
                await update(system, sonu, before[0]["id"], assignee_id="")
                await wait_for_copies()
                assert (await command("expire_cursors"))[0] == 0
                await change_tasks(system, sonu, [mina, theo], turns=4)
                await wait_for_copies()
    for name, follower in followers.items():
        ids = [event.id for event in follower.events]
        assert len(ids) == len(set(ids)), name
        assert follower.events == (await list_all_events(system, people[name], page_size=200))[: len(ids)], name
    assert assert_events_give_every_task(database.administrator_url) > 1000
