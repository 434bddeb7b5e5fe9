"""Import worker that reaches task_service and Redis through proxies. It is restarted whenever it ends."""

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
    """Supervised worker process."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self._closing = threading.Event()
        self._process = self._start()
        self._supervisor = threading.Thread(target=self._supervise, name="proxied-worker", daemon=True)
        self._supervisor.start()

    @property
    def pid(self) -> int:
        """Id of the process, which leads its own process group."""
        return self._process.pid

    def close(self) -> None:
        """Kill the process and do not restart it."""
        self._closing.set()
        self._kill_group()
        self._supervisor.join()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "import_worker"],
                env=self._environment,
                stdout=output,
                stderr=output,
                process_group=0,
            )

    def _supervise(self) -> None:
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
    """Run an additional worker of the stack. Yield it and its proxies to task_service and to Redis."""
    endpoints = stack.endpoints
    redis = urlsplit(endpoints["redis_url"])
    with ExitStack() as resources:
        to_tasks = resources.enter_context(_proxy_to(endpoints["internal_tasks_target"]))
        to_redis = resources.enter_context(_proxy_to(f"{redis.hostname}:{redis.port}"))
        login, _, _ = redis.netloc.rpartition("@")
        worker = ProxiedWorker(
            {
                **os.environ,
                **stack.settings,
                "IMPORT_WORKER_REDIS_URL": redis._replace(netloc=f"{login}@127.0.0.1:{to_redis.port}").geturl(),
                "IMPORT_WORKER_TASKS_TARGET": f"127.0.0.1:{to_tasks.port}",
                "IMPORT_WORKER_AUTH_TARGET": endpoints["internal_auth_target"],
                "IMPORT_WORKER_AUTH_CREDENTIAL": Credentials.load_or_create(stack.data_dir).import_worker_credential,
            },
            stack.data_dir / "logs" / "import_worker-proxied.log",
        )
        resources.callback(worker.close)
        yield worker, to_tasks, to_redis


def _proxy_to(target: str) -> TcpProxy:
    host, _, port = target.rpartition(":")
    return TcpProxy(host, int(port))
