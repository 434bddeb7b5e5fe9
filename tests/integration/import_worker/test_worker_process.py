"""The real Celery worker process on a real Valkey."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from contextlib import AsyncExitStack
from itertools import repeat
from typing import Any

import psutil
import pytest
from celery import Celery

from deploy.local.host.free_ports import find_free_port
from tests.integration.import_worker.ingest_server import CREDENTIAL, IngestServer, StoredImport, serving
from tests.integration.import_worker.worker_process import Worker, running_worker
from tests.support.embedded_servers import EmbeddedValkey
from tests.support.metrics import total
from tests.support.waiting import until_awaited

ROWS = [(f"title {number}", f"text {number}") for number in range(5000)]
DATA = "".join(f"{title},{text}\n" for title, text in ROWS).encode()
CANARY = "canary-cell"


def wake(redis_url: str) -> None:
    """Publish a wake-up as task_service does."""
    with Celery("task_service", broker=redis_url, set_as_current=False) as publisher:
        publisher.send_task("import_worker.run_next", queue="imports", ignore_result=True)


async def wait_for(event: Any) -> None:
    assert await asyncio.to_thread(event.wait, 30)


async def has_redis(worker: Worker, state: str) -> bool:
    """Return True if the worker's status shows Redis in this state."""
    _, body = await worker.probe("/statusz")
    return [(each["name"], each["state"]) for each in json.loads(body)["dependencies"]] == [("redis", state)]


async def test_wake_up_imports_rows_and_sigterm_ends_worker(redis_url):
    """A wake-up imports the rows, and SIGTERM then ends the idle worker with exit code 0."""
    first = StoredImport.of("one", DATA + f"{CANARY},x\n".encode())
    later = StoredImport.of("two", DATA)
    server = IngestServer(first)
    with serving(server) as target:
        async with running_worker(redis_url, target) as worker:
            assert (await worker.probe("/readyz"))[0] == 200
            assert (await worker.probe("/healthz"))[0] == 200
            await asyncio.to_thread(wake, redis_url)
            await wait_for(first.is_finished)
            await worker.wait_for_log("succeeded")  # of the task, so that the next wake-up starts another one
            server.imports["two"] = later
            await asyncio.to_thread(wake, redis_url)
            await wait_for(later.is_finished)
            worker.process.send_signal(signal.SIGTERM)
            assert await worker.process.wait() == 0
        assert first.rows == [*ROWS, (CANARY, "x")]
        assert later.rows == ROWS
        assert [stored.state for stored in (first, later)] == ["succeeded", "succeeded"]
        assert server.tokens.issued == 1
    assert worker.problems() == []
    assert [line["event"] for line in worker.log_lines].count("stopping") == 1
    assert worker.output == b""  # Celery, too, writes to the log only
    claimed = [line for line in worker.log_lines if line["event"] == "claimed"]
    assert [line["import_id"] for line in claimed] == ["one", "two"]
    assert len({line["request_id"] for line in claimed}) == 2
    assert CANARY not in str(worker.log_lines)
    assert CREDENTIAL not in str(worker.log_lines)


async def test_counters_survive_a_crash_of_the_child(redis_url):
    """Celery's process serves the metrics of all its children, also of one that was killed."""
    first, second = StoredImport.of("one", DATA), StoredImport.of("two", DATA)
    server = IngestServer(first)
    with serving(server) as target:
        async with running_worker(redis_url, target) as worker:

            async def settled(number: int) -> bool:
                return total(await worker.metrics(), "import_worker_leases_total", outcome="settled") == number

            await asyncio.to_thread(wake, redis_url)
            await until_awaited(lambda: settled(1))
            await worker.wait_for_log("succeeded")
            children = psutil.Process(worker.process.pid).children()  # the pool's child and a tracker of semaphores
            next(child for child in children if "spawn_main" in str(child.cmdline())).kill()
            server.imports["two"] = second
            await asyncio.to_thread(wake, redis_url)
            await until_awaited(lambda: settled(2))
            samples = await worker.metrics()
    assert total(samples, "import_worker_sent_rows_total") == 2 * len(ROWS)
    assert total(samples, "grpc_client_handled_total", grpc_method="ClaimNextImport", grpc_code="OK") >= 2
    assert total(samples, "process_resident_memory_bytes") > 0


@pytest.mark.parametrize("recipient", ["worker", "process group"])
async def test_sigterm_during_import_releases_the_lease(redis_url, recipient):
    """SIGTERM during an import releases the lease, and the worker exits with 0."""
    endless = StoredImport(id="endless", chunks=repeat(DATA), size=10**12)
    server = IngestServer(endless)
    with serving(server) as target:
        async with running_worker(redis_url, target) as worker:
            await asyncio.to_thread(wake, redis_url)
            await wait_for(server.has_committed)
            if recipient == "worker":
                worker.process.send_signal(signal.SIGTERM)
            else:
                os.killpg(worker.process.pid, signal.SIGTERM)
            async with asyncio.timeout(20):
                assert await worker.process.wait() == 0
        assert endless.is_finished.is_set()
        assert endless.state == "queued"
        assert endless.checkpoint.records == len(endless.rows)
        assert server.wait_until_idle()
    assert worker.problems() == []


async def test_hanging_worker_ends_within_shutdown_timeout(redis_url, monkeypatch):
    monkeypatch.setenv("IMPORT_WORKER_SHUTDOWN_TIMEOUT_SECONDS", "1")
    monkeypatch.setenv("IMPORT_WORKER_READ_TIMEOUT_SECONDS", "600")
    endless = StoredImport(id="endless", chunks=repeat(DATA), size=10**12)
    server = IngestServer(endless)
    server.silent_at = [2]
    with serving(server) as target:
        async with running_worker(redis_url, target) as worker:
            await asyncio.to_thread(wake, redis_url)
            await wait_for(server.has_committed)
            worker.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                assert await worker.process.wait() == 1
        # The child ended with its parent, and so did its stream.
        assert server.wait_until_idle()
        assert not endless.is_finished.is_set()


async def test_incomplete_environment_reports_every_problem(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IMPORT_WORKER_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "import_worker", env=environment, stderr=PIPE, cwd=tmp_path
    )
    _, output = await process.communicate()
    assert process.returncode == 2
    assert b"IMPORT_WORKER_REDIS_URL" in output
    assert b"IMPORT_WORKER_AUTH_CREDENTIAL" in output


async def test_sigterm_right_after_start_ends_worker_cleanly(redis_url):
    with serving(IngestServer()) as target:
        async with running_worker(redis_url, target) as worker:
            worker.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                assert await worker.process.wait() == 0
    assert worker.problems() == []


async def test_worker_survives_outage_of_redis(tmp_path):
    """A worker without Redis shows the outage and need not be restarted. It accepts wake-ups when Redis is back."""
    stored = StoredImport.of("one", DATA)
    with serving(IngestServer(stored)) as target:
        valkey = EmbeddedValkey(tmp_path / "valkey", port=find_free_port(), password="pw")
        async with AsyncExitStack() as stack:
            async with valkey:
                url = valkey.url
                worker = await stack.enter_async_context(running_worker(url, target))
            await worker.wait_for_log("Cannot connect")
            await until_awaited(lambda: has_redis(worker, "down"))
            assert (await worker.probe("/healthz"))[0] == (await worker.probe("/readyz"))[0] == 200
            async with valkey:
                await worker.wait_for_log("Connected to", times=2)
                await asyncio.to_thread(wake, url)
                await wait_for(stored.is_finished)
                assert await has_redis(worker, "up")
                worker.process.send_signal(signal.SIGTERM)
                assert await worker.process.wait() == 0
    assert stored.rows == ROWS


async def test_worker_without_redis_ends_on_sigterm(tmp_path):
    with serving(IngestServer()) as target:
        async with AsyncExitStack() as stack:
            async with EmbeddedValkey(tmp_path / "valkey") as valkey:
                worker = await stack.enter_async_context(running_worker(valkey.url, target))
            await worker.wait_for_log("Cannot connect")
            worker.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                assert await worker.process.wait() == 0
