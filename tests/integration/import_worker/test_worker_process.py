"""The real Celery worker process on a real Valkey."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from deploy.local.ports import free_port
from deploy.local.valkey import EmbeddedValkey
from import_worker.commands import health
from tests.integration.import_worker.ingest_server import CREDENTIAL, IngestServer, StoredImport, serving

ROWS = [(f"title {number}", f"text {number}") for number in range(5000)]
DATA = "".join(f"{title},{text}\n" for title, text in ROWS).encode()
CANARY = "canary-cell"


@pytest.fixture
async def redis_url(tmp_path) -> AsyncIterator[str]:
    async with EmbeddedValkey(tmp_path / "valkey") as valkey:
        yield valkey.url


class Worker:
    """A running worker and all it has said."""

    def __init__(self, process: Process, heartbeat: Path) -> None:
        self.process = process
        self.heartbeat = heartbeat
        self.log_lines: list[dict[str, Any]] = []
        self._lines = asyncio.Condition()

    async def listen(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            async with self._lines:
                self.log_lines.append(_parse(line))
                self._lines.notify_all()

    async def wait_for_log(self, text: str, *, times: int = 1) -> None:
        async with self._lines, asyncio.timeout(30):
            await self._lines.wait_for(lambda: sum(text in line["event"] for line in self.log_lines) >= times)

    def problems(self) -> list[dict[str, Any]]:
        return [line for line in self.log_lines if line["level"] in {"warning", "error", "critical"}]


def _parse(line: bytes) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError:
        said = {"event": f"not JSON: {line!r}", "level": "error"}
    return said


@asynccontextmanager
async def running_worker(redis_url: str, target: str, folder: Path, **changed: str) -> AsyncIterator[Worker]:
    """A worker beside the services at a target; `changed` is what it is told otherwise."""
    heartbeat = folder / "heartbeat"
    settings = {
        "IMPORT_WORKER_REDIS_URL": redis_url,
        "IMPORT_WORKER_TASKS_TARGET": target,
        "IMPORT_WORKER_AUTH_TARGET": target,
        "IMPORT_WORKER_AUTH_CREDENTIAL": CREDENTIAL,
        "IMPORT_WORKER_HEARTBEAT_FILE": str(heartbeat),
        **changed,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "import_worker", env={**os.environ, **settings}, stderr=PIPE, process_group=0
    )
    worker = Worker(process, heartbeat)
    listening = asyncio.create_task(worker.listen())
    try:
        await worker.wait_for_log("ready")
        yield worker
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        await listening


def wake(redis_url: str) -> None:
    """Publish as task_service does."""
    with Celery("task_service", broker=redis_url, set_as_current=False) as publisher:
        publisher.send_task("import_worker.run_next", queue="imports", ignore_result=True)


async def wait_for(event: Any) -> None:
    assert await asyncio.to_thread(event.wait, 30)


async def test_a_wake_up_brings_the_rows_over_and_sigterm_ends_the_idle_worker_cleanly(redis_url, tmp_path):
    first = StoredImport.of("one", DATA + f"{CANARY},x\n".encode())
    later = StoredImport.of("two", DATA)
    server = IngestServer(first)
    with serving(server) as target:
        async with running_worker(redis_url, target, tmp_path) as worker:
            assert health.find_problem(worker.heartbeat, now=worker.heartbeat.stat().st_mtime + 1) == ""
            await asyncio.to_thread(wake, redis_url)
            await wait_for(first.ended)
            await worker.wait_for_log("succeeded")
            server.imports["two"] = later
            await asyncio.to_thread(wake, redis_url)
            await wait_for(later.ended)
            worker.process.send_signal(signal.SIGTERM)
            assert await worker.process.wait() == 0
        assert first.rows == [*ROWS, (CANARY, "x")]
        assert later.rows == ROWS
        assert [one.state for one in (first, later)] == ["succeeded", "succeeded"]
        assert server.tokens.issued == 1
    assert not worker.heartbeat.exists()
    assert worker.problems() == []
    claimed = [line for line in worker.log_lines if line["event"] == "claimed"]
    assert [line["import_id"] for line in claimed] == ["one", "two"]
    assert len({line["request_id"] for line in claimed}) == 2
    assert CANARY not in str(worker.log_lines)
    assert CREDENTIAL not in str(worker.log_lines)


@pytest.mark.parametrize("whom", ["the worker", "its process group"])
async def test_sigterm_in_mid_file_gives_the_slice_back_and_exits_0(redis_url, tmp_path, whom):
    endless = StoredImport(id="endless", pieces=repeat(DATA), size=10**12)
    server = IngestServer(endless)
    with serving(server) as target:
        async with running_worker(redis_url, target, tmp_path) as worker:
            await asyncio.to_thread(wake, redis_url)
            await wait_for(server.committed)
            if whom == "the worker":
                worker.process.send_signal(signal.SIGTERM)
            else:
                os.killpg(worker.process.pid, signal.SIGTERM)
            async with asyncio.timeout(20):
                assert await worker.process.wait() == 0
        assert endless.ended.is_set()
        assert endless.state == "queued"
        assert endless.checkpoint.records == len(endless.rows)
        assert server.until_quiet()
    assert worker.problems() == []


async def test_a_worker_that_hangs_on_a_silent_server_still_ends_soon_after_sigterm(redis_url, tmp_path, monkeypatch):
    monkeypatch.setenv("IMPORT_WORKER_SHUTDOWN_SECONDS", "1")
    monkeypatch.setenv("IMPORT_WORKER_ANSWER_SECONDS", "600")
    endless = StoredImport(id="endless", pieces=repeat(DATA), size=10**12)
    server = IngestServer(endless)
    server.silent_at = [2]
    with serving(server) as target:
        async with running_worker(redis_url, target, tmp_path) as worker:
            await asyncio.to_thread(wake, redis_url)
            await wait_for(server.committed)
            worker.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                assert await worker.process.wait() == 1
        # The child has gone with its parent: its stream is cut.
        assert server.until_quiet()
        assert not endless.ended.is_set()


async def test_an_incomplete_environment_is_told_whole_and_nothing_starts(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IMPORT_WORKER_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "import_worker", env=environment, stderr=PIPE, cwd=tmp_path
    )
    _, said = await process.communicate()
    assert process.returncode == 2
    assert b"IMPORT_WORKER_REDIS_URL" in said
    assert b"IMPORT_WORKER_AUTH_CREDENTIAL" in said


async def test_sigterm_at_the_moment_of_readiness_is_a_clean_end_too(redis_url, tmp_path):
    with serving(IngestServer()) as target:
        async with running_worker(redis_url, target, tmp_path) as worker:
            worker.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                assert await worker.process.wait() == 0
    assert worker.problems() == []
    assert not worker.heartbeat.exists()


async def test_a_worker_that_lost_redis_is_not_ready_and_takes_wake_ups_again_when_it_is_back(tmp_path):
    stored = StoredImport.of("one", DATA)
    with serving(IngestServer(stored)) as target:
        valkey = EmbeddedValkey(tmp_path / "valkey", port=free_port(), password="pw")
        async with AsyncExitStack() as exits:
            async with valkey:
                url = valkey.url
                worker = await exits.enter_async_context(running_worker(url, target, tmp_path))
            await worker.wait_for_log("Cannot connect")
            assert not worker.heartbeat.exists()
            async with valkey:
                await worker.wait_for_log("Connected to", times=2)
                await asyncio.to_thread(wake, url)
                await wait_for(stored.ended)
                assert worker.heartbeat.exists()
                worker.process.send_signal(signal.SIGTERM)
                assert await worker.process.wait() == 0
    assert stored.rows == ROWS


async def test_a_worker_whose_redis_is_gone_ends_on_sigterm(tmp_path):
    with serving(IngestServer()) as target:
        async with AsyncExitStack() as exits:
            async with EmbeddedValkey(tmp_path / "valkey") as valkey:
                worker = await exits.enter_async_context(running_worker(valkey.url, target, tmp_path))
            await worker.wait_for_log("Cannot connect")
            worker.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                assert await worker.process.wait() == 0
