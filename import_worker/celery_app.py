"""The Celery application: the one module whose import does something.

Celery's pool child is a fresh interpreter (a gRPC channel does not survive a fork) that finds the task and the signal
handlers by importing this module; they have to be there then. Everything else is wired when a signal says where we are.

A message only says that there is work. Postgres is the queue: a message that is lost or doubled does no harm, so
nothing here tries to make it reliable beyond what is free.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import structlog
from billiard import active_children
from celery import Celery, signals

from chassis.settings import load_settings
from chassis.logs import configure_logging
from chassis.rpc.request_context import accept_request_id, enter_request
from import_worker.bootstrap import build_run
from import_worker.heartbeat import HeartbeatFile
from import_worker.settings import ImportWorkerSettings

QUEUE = "imports"

# How the child is told to stop. SIGTERM would not do: billiard puts its own handler over ours.
_STOP_CHILD = signal.SIGUSR2
_STOP_AGAIN_SECONDS = 0.5

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
    worker_concurrency=1,  # another worker is another process: deploy more of them
    worker_pool_start_method="spawn",
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        # A wake-up that is being worked is delivered again after this long. It works as long as there is work.
        "visibility_timeout": 24 * 3600,
        # Without these a half-open connection is waited on for ever.
        "socket_timeout": 5,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
    },
)
app.steps["consumer"].add(HeartbeatFile)


def _not_wired() -> None:
    message = "this process was not started as a pool child"
    raise RuntimeError(message)


class PoolChild:
    """What a pool child holds: the wired job, and whether it was asked to stop."""

    def __init__(self) -> None:
        self.run: Callable[[], None] = _not_wired
        self._stopping = False

    def stopping(self) -> bool:
        return self._stopping

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        # Only a flag: this runs between any two instructions of the job, whose locks it must not touch.
        self._stopping = True


child = PoolChild()


@app.task(name="import_worker.run_next")
def run_next() -> None:
    """Works until nothing waits."""
    enter_request(accept_request_id(None))  # so that this run's lines can be found in every service's log
    child.run()


@signals.setup_logging.connect
def use_our_logs(**_: Any) -> None:
    """Keeps Celery from setting up its own logs, in the worker and in its child."""
    configure_logging(load_settings(ImportWorkerSettings).log_level, "import_worker")
    logging.captureWarnings(True)


@signals.worker_process_init.connect
def wire_child(**_: Any) -> None:
    """Makes a fresh pool child ready to work."""
    signal.signal(_STOP_CHILD, child.stop)
    # Whoever signals the whole process group means the parent, which passes it on; billiard keeps what is ignored.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child.run = build_run(load_settings(ImportWorkerSettings), stopping=child.stopping)


@signals.worker_init.connect
def prepare_stopping(**_: Any) -> None:
    """Keeps the signal from killing a child that is still starting: what is ignored stays so across exec."""
    signal.signal(_STOP_CHILD, signal.SIG_IGN)


@signals.worker_shutting_down.connect
def end_in_time(**_: Any) -> None:
    """Tells the child to give its slice back, and sees to it that the process ends whatever happens.

    Celery's warm shutdown then waits for the task, which is over within a batch, and acknowledges it. Its own limit
    (a remapped SIGTERM with a soft shutdown timeout) would always wait out the whole timeout, the task done or not.
    """
    children = [process.pid for process in active_children() if process.pid is not None]
    threading.Thread(target=_stop, args=(children, app.conf.shutdown_seconds), name="stop", daemon=True).start()


def _stop(children: list[int], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, _STOP_CHILD)
        time.sleep(_STOP_AGAIN_SECONDS)  # a child that was still starting missed the first one
    log.error("shutdown took too long")
    os._exit(1)  # the kernel kills the child with its parent, and the lease expires
