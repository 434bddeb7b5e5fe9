"""System under test: a running local stack, and signals to its processes."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import psycopg
import redis

from tests.faults.proxied_worker import ProxiedWorker, proxied_worker
from tests.faults.proxy import TcpProxy
from tests.support.crashing_rows import crashing_environment
from tests.support.stack import LocalStack, running_stack
from tests.support.waiting import wait_until

LEASE_SECONDS = 2
PROXIED = "import_worker-proxied"
WORKERS = ("import_worker-1", PROXIED)

SETTINGS = {
    "TASKS_LEASE_SECONDS": str(LEASE_SECONDS),
    "TASKS_BLOCK_INTERVAL_SECONDS": "0.5",
    # Small batches give many moments at which a process can die.
    "IMPORT_WORKER_MAX_BATCH_ROWS": "200",
    "IMPORT_WORKER_READ_TIMEOUT_SECONDS": "3",
    "IMPORT_WORKER_TIME_SLICE_SECONDS": "1",
}


@dataclass(frozen=True)
class SystemUnderTest:
    """Local stack with two import workers. TCP proxies separate the second worker from task_service and Redis."""

    stack: LocalStack
    worker: ProxiedWorker
    tasks_proxy: TcpProxy
    redis_proxy: TcpProxy

    def pid(self, name: str) -> int:
        return self.worker.pid if name == PROXIED else int(self.stack.endpoints["processes"][name])

    def signal(self, name: str, signal_number: signal.Signals, *, group: bool = True) -> None:
        """Send a signal to a process or to its group. A process that is already dead is ignored."""
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid(name), signal_number)

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.stack.endpoints["redis_url"], socket_timeout=5)

    def wait_until_healthy(self) -> None:
        """Wait until every server responds."""
        wait_until(self._is_healthy)

    def _is_healthy(self) -> bool:
        try:
            with self.redis() as client:
                client.ping()
            self.stack.sql("SELECT 1")
            probes = self.stack.endpoints["probes"].values()
            return all(httpx.get(f"{url}/readyz", timeout=5).status_code == 200 for url in probes)
        except (OSError, httpx.TransportError, psycopg.OperationalError, redis.RedisError):
            return False

    def logs(self) -> list[Path]:
        return sorted((self.stack.data_dir / "logs").glob("*.log"))


@contextmanager
def system_under_test(data_dir: Path) -> Iterator[SystemUnderTest]:
    """Run the stack with short leases and two workers until the context ends."""
    with (
        running_stack(data_dir, **SETTINGS, **crashing_environment()) as stack,
        proxied_worker(stack) as (worker, tasks_proxy, redis_proxy),
    ):
        # Only these tests select the tasks of an import, and they do it all the time.
        with psycopg.connect(stack.endpoints["postgres_url"], autocommit=True) as connection:
            connection.execute("CREATE INDEX ON tasks.tasks (import_id)")
        yield SystemUnderTest(stack, worker, tasks_proxy, redis_proxy)
