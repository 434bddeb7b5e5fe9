"""The Celery application. This is the only module that does something when it is imported.

Celery's pool child is a fresh interpreter, because a gRPC channel does not survive a fork. The child imports this
module to find the task and the signal handlers, so they must exist then. Signals start everything else.

A message only means that an import may be waiting. Postgres is the queue: a lost or duplicate message does no harm.
"""

import asyncio
import os
import signal
import threading
import time
from contextlib import AsyncExitStack, ExitStack, suppress
from contextvars import copy_context
from types import FrameType
from typing import Any

import structlog
from billiard import active_children
from celery import Celery, signals

from chassis.logs import configure_logging
from chassis.rpc.request_context import accept_request_id, enter_request
from chassis.settings import load_settings
from chassis.tracing.provider import trace_process
from import_worker.bootstrap import open_worker
from import_worker.consumer_health import ConsumerHealth, health_step
from import_worker.settings import ImportWorkerSettings
from import_worker.usecases.process_queue import ProcessQueue

QUEUE = "imports"

# Stops the child. SIGTERM cannot be used: billiard replaces our handler for it.
_STOP_SIGNAL = signal.SIGUSR2
_STOP_REPEAT_SECONDS = 0.5

log = structlog.get_logger("worker")

app = Celery("import_worker", set_as_current=True)
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    task_ignore_result=True,
    result_backend=None,
    task_default_queue=QUEUE,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_concurrency=1,  # to scale out, deploy more processes
    worker_pool_start_method="spawn",
    # A new child imports for a second of CPU time. Celery's default of 4 s kills it on a busy machine, again and again.
    worker_proc_alive_timeout=30.0,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        # A message is delivered again after this long without an acknowledgement. A task runs while imports wait.
        "visibility_timeout": 24 * 3600,
        # Without these timeouts the worker waits on a half-open connection for ever.
        "socket_timeout": 5,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
    },
)
consumer_health = ConsumerHealth()
app.steps["consumer"].add(health_step(consumer_health))


class PoolChild:
    """The pool child's event loop, the use case that is wired on it, and the flag that stops it.

    The loop runs only while a task runs. gRPC's channels stay open between tasks.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._resources = AsyncExitStack()
        self._tracing = ExitStack()
        self._process_queue: ProcessQueue | None = None
        self._is_stopping = False

    def start(self, settings: ImportWorkerSettings) -> None:
        """Create the event loop and open the channels. Call this in the child, after it has been spawned."""
        self._tracing.enter_context(trace_process("import_worker"))  # its thread does not survive a fork either
        worker = open_worker(settings, is_stopping=lambda: self._is_stopping)
        self._process_queue = self._runner.run(self._resources.enter_async_context(worker))

    def run(self) -> None:
        """Process waiting imports."""
        if self._process_queue is None:
            message = "This process was not started as a pool child."
            raise RuntimeError(message)
        # Without this argument the runner uses a context of its own, which has no request id.
        self._runner.run(self._process_queue(), context=copy_context())

    def close(self) -> None:
        """Close the channels and the event loop, and send the remaining traces."""
        self._runner.run(self._resources.aclose())
        self._runner.close()
        self._tracing.close()

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """Handle the stop signal."""
        # A signal handler runs between any two instructions of the task: it must not touch the task's locks.
        self._is_stopping = True


child = PoolChild()


@app.task(name="import_worker.run_next")
def run_next() -> None:
    """Process waiting imports until none is left."""
    enter_request(accept_request_id(None))  # makes the log lines of this run traceable in every service
    child.run()


@signals.setup_logging.connect
def set_up_logging(**_: Any) -> None:
    """Replace Celery's logging configuration, in the worker and in its child."""
    configure_logging(load_settings(ImportWorkerSettings).log_level, "import_worker")


@signals.worker_process_init.connect
def start_child(**_: Any) -> None:
    """Prepare a new pool child for tasks."""
    signal.signal(_STOP_SIGNAL, child.stop)
    # A SIGTERM to the whole process group is meant for the parent, which then stops the child. billiard does not
    # replace a handler that ignores the signal.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child.start(load_settings(ImportWorkerSettings))


@signals.worker_process_shutdown.connect
def close_child(**_: Any) -> None:
    """Close the pool child's connections before it exits."""
    child.close()


@signals.worker_init.connect
def ignore_stop_signal(**_: Any) -> None:
    """Ignore the stop signal, so that it does not kill a child that is still starting: the child inherits this."""
    signal.signal(_STOP_SIGNAL, signal.SIG_IGN)


@signals.worker_shutting_down.connect
def shut_down(**_: Any) -> None:
    """Tell the child to release its lease, and end the process after the shutdown timeout in any case.

    Celery's warm shutdown waits for the task, which ends within a batch, and acknowledges its message. Celery's own
    limit, a remapped SIGTERM with a soft shutdown timeout, always waits for the full timeout.
    """
    consumer_health.status.begin_drain()
    children = [process.pid for process in active_children() if process.pid is not None]
    threading.Thread(target=_stop, args=(children, app.conf.shutdown_timeout_seconds), name="stop", daemon=True).start()


def _stop(children: list[int], timeout_seconds: float) -> None:
    log.info("stopping")  # here, because a signal handler may interrupt another write to the log
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, _STOP_SIGNAL)
        time.sleep(_STOP_REPEAT_SECONDS)  # a child that was still starting ignored the first signal
    log.error("shutdown timed out")
    os._exit(1)  # the kernel kills the child with its parent, and the lease expires
