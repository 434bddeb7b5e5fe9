"""A running system, and every way to hurt a process of it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import psycopg
import redis

from tests.deadly_rows import deadly_environment
from tests.faults.proxied_worker import ProxiedWorker, proxied_worker
from tests.faults.proxy import TcpProxy
from tests.stacks import LocalStack, running_stack, until

LEASE_SECONDS = 2
PROXIED = "import_worker-proxied"
WORKERS = ("import_worker-1", PROXIED)

SETTINGS = {
    "TASKS_LEASE_SECONDS": str(LEASE_SECONDS),
    "TASKS_BLOCK_INTERVAL_SECONDS": "0.5",
    # Small batches are many moments to die between.
    "IMPORT_WORKER_BATCH_ROWS": "200",
    "IMPORT_WORKER_ANSWER_SECONDS": "3",
    "IMPORT_WORKER_SLICE_SECONDS": "1",
}


@dataclass(frozen=True)
class FaultySystem:
    """A stack with two workers, one of them behind proxies."""

    stack: LocalStack
    worker: ProxiedWorker
    to_tasks: TcpProxy
    to_redis: TcpProxy

    def pid(self, name: str) -> int:
        return self.worker.pid if name == PROXIED else int(self.stack.endpoints["processes"][name])

    def signal(self, name: str, number: signal.Signals, *, group: bool = True) -> None:
        """Sends a signal to a process, with all that it started or alone. One that is just dead is hurt enough."""
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid(name), number)

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.stack.endpoints["redis_url"], socket_timeout=5)

    def settle(self) -> None:
        """Returns when every server answers again."""
        until(self._answers)

    def _answers(self) -> bool:
        try:
            with self.redis() as client:
                client.ping()
            self.stack.sql("SELECT 1")
            return httpx.get(f"{self.stack.url}/readyz", timeout=5).status_code == 200
        except (OSError, httpx.TransportError, psycopg.OperationalError, redis.RedisError):
            return False

    def logs(self) -> list[Path]:
        return sorted((self.stack.data_dir / "logs").glob("*.log"))


@contextmanager
def faulty_system(data_dir: Path) -> Iterator[FaultySystem]:
    """Runs a system that is to be hurt."""
    with (
        running_stack(data_dir, **SETTINGS, **deadly_environment()) as stack,
        proxied_worker(stack) as (worker, to_tasks, to_redis),
    ):
        # What is asked here again and again, and nowhere else: which tasks an import has made.
        with psycopg.connect(stack.endpoints["postgres_url"], autocommit=True) as connection:
            connection.execute("CREATE INDEX ON tasks.tasks (import_id)")
        yield FaultySystem(stack, worker, to_tasks, to_redis)
