"""Upgrade to a release that renames a column, in phases, under steady requests of which none fails."""

import asyncio
import os
import shutil
import sys
from collections import Counter
from contextlib import ExitStack, chdir
from pathlib import Path

import psycopg
import pytest

from chassis.database.revisions import RevisionHistory
from task_service.persistence.schema import MIGRATIONS
from task_service.settings import DEFAULT_SCHEMA
from tests.faults.steady_requests import open_clients, requests, restart
from tests.support.releases import write_revision
from tests.support.stack import LocalStack, running_stack
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
SETTINGS = {f"{prefix}_DRAIN_DELAY_SECONDS": "1" for prefix in ("AUTH", "TASKS", "GATEWAY")}

CHANGES = {
    "persistence/tables.py": (
        'Column("priority", Text, nullable=False)',
        'Column("urgency", Text, nullable=False, key="priority")',
    ),
    "tasks/persistence/list_statements.py": (
        '", ".join(Task._fields)',
        '", ".join(column.name for column in COLUMNS)',
    ),
}
"""Code of the new release: in which file, the old and the new text."""

EXPAND = '''
op.execute("""
    ALTER TABLE tasks.tasks ADD COLUMN urgency text;
    CREATE FUNCTION tasks.copy_priority() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            NEW.urgency := coalesce(NEW.urgency, NEW.priority);
            NEW.priority := NEW.urgency;
        ELSIF NEW.priority IS DISTINCT FROM OLD.priority THEN
            NEW.urgency := NEW.priority;
        ELSE
            NEW.priority := coalesce(NEW.urgency, NEW.priority);
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER copy_priority BEFORE INSERT OR UPDATE ON tasks.tasks
        FOR EACH ROW EXECUTE FUNCTION tasks.copy_priority()
""")
'''
COPY = '''
execute_in_batches("""
    UPDATE tasks.tasks SET urgency = priority
    WHERE id IN (SELECT id FROM tasks.tasks WHERE urgency IS NULL LIMIT 100)
""")
'''
CONTRACT = """
op.execute("DROP TRIGGER copy_priority ON tasks.tasks; DROP FUNCTION tasks.copy_priority()")
op.execute("ALTER TABLE tasks.tasks DROP COLUMN priority")
"""


@pytest.fixture
def new_release(tmp_path: Path) -> Path:
    """Folder of task_service of the next release: its code reads and writes the new column only."""
    package = tmp_path / "new" / "task_service"
    shutil.copytree(ROOT / "task_service", package, ignore=shutil.ignore_patterns("__pycache__"))
    for file, (old, new) in CHANGES.items():
        code = (package / file).read_text()
        assert code.count(old) == 1
        (package / file).write_text(code.replace(old, new))
    migrations = package / "persistence/migrations"
    write_revision(migrations, "e1", EXPAND, after=RevisionHistory(DEFAULT_SCHEMA, MIGRATIONS).expand_head)
    write_revision(migrations, "e2", COPY, after="e1")
    write_revision(migrations, "c1", CONTRACT, contract=True, depends_on="e2")
    return package


@pytest.fixture
def current(tmp_path: Path) -> Path:
    """Working directory of the stack. A package in it takes the place of the repository's."""
    folder = tmp_path / "current"
    folder.mkdir()
    return folder


@pytest.fixture
def stack(tmp_path: Path, current: Path):
    with ExitStack() as context:
        with chdir(current):
            running = context.enter_context(
                running_stack(tmp_path / "data", "--replicas", "2", "--gateways", "2", **SETTINGS)
            )
        yield running


class Migration:
    """The command `migrate` of a release."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls, stack: LocalStack, release: Path, *arguments: str, service: str = "task_service"
    ) -> "Migration":
        command = ["command", "--data-dir", str(stack.data_dir), f"{service}.commands.migrate", *arguments]
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "deploy.local", *command),
                cwd=release.parent,
                env={**os.environ, "PYTHONPATH": str(ROOT), **stack.settings},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        )

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode())

    def count(self, text: str) -> int:
        return sum(text in line for line in self.lines)

    async def wait(self) -> int:
        """Return the exit status."""
        await self._reader
        return await self.process.wait()


async def migrate(stack: LocalStack, release: Path, *arguments: str, service: str = "task_service") -> tuple[int, str]:
    """Run the command to its end. Return its exit status and output."""
    migration = await Migration.start(stack, release, *arguments, service=service)
    return await migration.wait(), "".join(migration.lines)


async def expand_beside_a_long_transaction(stack: LocalStack, release: Path, results: Counter[str]) -> None:
    """Run the expand phase. For its first attempts, a reader holds a lock on the table."""
    with psycopg.connect(stack.endpoints["postgres_url"]) as reader:
        reader.execute("SELECT count(*) FROM tasks.tasks")
        migration = await Migration.start(stack, release)
        await until(lambda: migration.count("a lock is not free, trying again") >= 1, seconds=60)
        before = results["success"]
        await until(lambda: migration.count("a lock is not free, trying again") >= 3, seconds=60)
        await until(lambda: results["success"] > before + 30, seconds=60)
    assert await migration.wait() == 0, migration.lines


@pytest.mark.timeout(600)
async def test_upgrade_in_phases_fails_no_request(stack: LocalStack, current: Path, new_release: Path):
    """Expand, restart of each replica with the new code, contract."""
    replicas = [name for name in stack.endpoints["probes"] if name.startswith("task_service")]
    assert len(replicas) == 2
    async with open_clients(stack) as clients, requests(clients) as results:
        await until(lambda: results["success"] > 30, seconds=60)
        status, plan = await migrate(stack, new_release, "--plan")
        assert (status, "-- contract c1" in plan) == (0, True), plan
        status, output = await migrate(stack, new_release, "--contract")
        assert (status, "the expand phase of schema tasks is not complete" in output) == (1, True), output
        await expand_beside_a_long_transaction(stack, new_release, results)
        (current / "task_service").symlink_to(new_release)
        for name in replicas:
            await restart(stack, name)
        status, output = await migrate(stack, new_release, "--contract")
        assert status == 0, output
        assert await migrate(stack, new_release, "--contract", service="auth_service") == (0, "")
        before = results["success"]
        await until(lambda: results["success"] > before + 60, seconds=60)
    columns = stack.sql("SELECT column_name FROM information_schema.columns WHERE table_name = 'tasks'")
    assert {("urgency",), ("priority",)} & set(columns) == {("urgency",)}
    assert stack.sql("SELECT required_revision FROM tasks.schema_compatibility") == [("e2",)]
