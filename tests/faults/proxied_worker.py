"""An import worker that reaches task_service and Redis only through proxies, started again whenever it dies."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from signal import SIGKILL
from urllib.parse import urlsplit

from deploy.local.config.credentials import Credentials
from tests.faults.proxy import TcpProxy
from tests.support.stack import LocalStack


class ProxiedWorker:
    """One worker process after another, until it is closed."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self._closing = threading.Event()
        self._process = self._start()
        self._keeper = threading.Thread(target=self._keep, name="proxied-worker", daemon=True)
        self._keeper.start()

    @property
    def pid(self) -> int:
        """The process's, which leads a group of its own."""
        return self._process.pid

    def close(self) -> None:
        """Kills the process and starts no other."""
        self._closing.set()
        self._kill_group()
        self._keeper.join()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "import_worker"],
                env=self._environment,
                stdout=output,
                stderr=output,
                process_group=0,
            )

    def _keep(self) -> None:
        while True:
            self._process.wait()
            self._kill_group()
            if self._closing.wait(0.3):
                return
            self._process = self._start()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, SIGKILL)


@contextmanager
def proxied_worker(stack: LocalStack) -> Iterator[tuple[ProxiedWorker, TcpProxy, TcpProxy]]:
    """A worker beside those of the stack, and the proxies before task_service and before Redis."""
    endpoints = stack.endpoints
    redis = urlsplit(endpoints["redis_url"])
    with ExitStack() as exits:
        to_tasks = exits.enter_context(_proxy_before(endpoints["tasks_target"]))
        to_redis = exits.enter_context(_proxy_before(f"{redis.hostname}:{redis.port}"))
        login, _, _ = redis.netloc.rpartition("@")
        worker = ProxiedWorker(
            {
                **os.environ,
                **stack.settings,
                "IMPORT_WORKER_REDIS_URL": redis._replace(netloc=f"{login}@127.0.0.1:{to_redis.port}").geturl(),
                "IMPORT_WORKER_TASKS_TARGET": f"127.0.0.1:{to_tasks.port}",
                "IMPORT_WORKER_AUTH_TARGET": endpoints["auth_target"],
                "IMPORT_WORKER_AUTH_CREDENTIAL": Credentials.load_or_create(stack.data_dir).import_worker_credential,
            },
            stack.data_dir / "logs" / "import_worker-proxied.log",
        )
        exits.callback(worker.close)
        yield worker, to_tasks, to_redis


def _proxy_before(target: str) -> TcpProxy:
    host, _, port = target.rpartition(":")
    return TcpProxy(host, int(port))
