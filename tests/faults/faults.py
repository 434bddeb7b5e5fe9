"""What can happen to a running system. Each strikes, and heals what does not heal by itself."""

import resource
import signal
import threading
from collections.abc import Callable

import psycopg

from task_service.clients.worker_notifier import CeleryWorkerNotifier
from tests.faults.proxy import Mode
from tests.faults.system import LEASE_SECONDS, WORKERS, FaultySystem
from tests.faults.workload import Workload

Fault = Callable[[FaultySystem, Workload], None]


def _struck_by(number: signal.Signals, *names: str) -> Fault:
    def strike(system: FaultySystem, workload: Workload) -> None:
        # SIGTERM goes to the process alone, as from an orchestrator.
        system.signal(workload.chance.choice(names), number, group=number is signal.SIGKILL)

    return strike


def worker_stopped_past_its_lease(system: FaultySystem, workload: Workload) -> None:
    """It wakes up believing that it still holds the lease."""
    name = workload.chance.choice(WORKERS)
    system.signal(name, signal.SIGSTOP)
    threading.Event().wait(LEASE_SECONDS + 1.5)
    system.signal(name, signal.SIGCONT)


def wake_up_taken_and_lost(system: FaultySystem, workload: Workload) -> None:
    """Stopped workers whose connections are open: a message goes to one of them, which dies before it has noted it."""
    for name in WORKERS:
        system.signal(name, signal.SIGSTOP)
    workload.upload(most_rows=2000)
    threading.Event().wait(0.5)
    for name in WORKERS:
        system.signal(name, signal.SIGKILL)


def struck_in_mid_upload(system: FaultySystem, workload: Workload) -> None:
    """Whoever takes the file goes when half of it is there: it becomes a whole import, or none."""
    name = workload.chance.choice(("gateway", "task_service"))
    number = workload.chance.choice((signal.SIGKILL, signal.SIGTERM))
    workload.upload(halfway=lambda: system.signal(name, number, group=number is signal.SIGKILL))


def redis_flushed_behind_an_upload(system: FaultySystem, workload: Workload) -> None:
    system.settle()  # this asks Redis something itself, which the fault before may have killed
    workload.upload(most_rows=2000)
    with system.redis() as client:
        client.flushall()


def acknowledgement_lost_after_the_commit(system: FaultySystem, workload: Workload) -> None:
    """Only the worker behind the proxy works; batches go through to task_service, answers do not come back."""
    system.signal("import_worker-1", signal.SIGSTOP)
    workload.upload()
    threading.Event().wait(LEASE_SECONDS * workload.chance.random())
    system.to_tasks.mode = Mode.DEAF
    threading.Event().wait(0.2)
    system.to_tasks.cut()
    system.to_tasks.mode = Mode.PASS
    system.signal("import_worker-1", signal.SIGCONT)


def half_open(system: FaultySystem, workload: Workload) -> None:
    """A worker's connections lead nowhere for a while; then they are gone."""
    proxy = workload.chance.choice((system.to_tasks, system.to_redis))
    proxy.mode = Mode.HALF_OPEN
    workload.upload(most_rows=5000)
    threading.Event().wait(LEASE_SECONDS + 2)
    proxy.cut()
    proxy.mode = Mode.PASS


def twenty_wake_ups_at_once(system: FaultySystem, workload: Workload) -> None:
    system.settle()  # as above
    wake_ups = CeleryWorkerNotifier(system.stack.endpoints["redis_url"])
    try:
        wake_ups.publish_now(20)
    finally:
        wake_ups.close()


def disk_full_at_upload(system: FaultySystem, workload: Workload) -> None:
    """No file of task_service may grow any further: the system's own limit says so to a write like a full disk."""
    system.settle()  # or the answer would be another fault's
    pid = system.pid("task_service")
    log = system.stack.data_dir / "logs" / "task_service.log"
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    room = log.stat().st_size + 1024 * 1024
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        answer = workload.people[0].http.post(
            "/api/v1/imports",
            content=b"title\n" + b"No room for this\n" * (2 * room // 17),
            headers={"content-type": "text/csv"},
            params={"file_name": "too much for the disk"},
        )
        assert answer.status_code == 507, answer.text
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    assert system.stack.sql("SELECT id FROM tasks.imports WHERE file_name = 'too much for the disk'") == []


def a_batch_that_waits_for_a_lock(system: FaultySystem, workload: Workload) -> None:
    """Somebody's maintenance holds the tables for longer than a lease."""
    system.settle()
    with psycopg.connect(system.stack.endpoints["postgres_url"]) as connection:
        connection.execute("LOCK TABLE tasks.task_events IN EXCLUSIVE MODE")
        threading.Event().wait(LEASE_SECONDS + 1)


FAULTS: dict[str, Fault] = {
    "a worker is killed": _struck_by(signal.SIGKILL, *WORKERS),
    "a worker is told to stop": _struck_by(signal.SIGTERM, *WORKERS),
    "task_service is killed": _struck_by(signal.SIGKILL, "task_service"),
    "task_service is told to stop": _struck_by(signal.SIGTERM, "task_service"),
    "the gateway is killed": _struck_by(signal.SIGKILL, "gateway"),
    "the gateway is told to stop": _struck_by(signal.SIGTERM, "gateway"),
    "auth_service is killed": _struck_by(signal.SIGKILL, "auth_service"),
    "a server goes in mid-upload": struck_in_mid_upload,
    "Redis is killed": _struck_by(signal.SIGKILL, "redis"),
    # What `pg_ctl stop -m immediate` sends.
    "Postgres stops at once": _struck_by(signal.SIGQUIT, "postgres"),
    "a worker is stopped past its lease": worker_stopped_past_its_lease,
    "a wake-up is taken and lost": wake_up_taken_and_lost,
    "Redis is flushed behind an upload": redis_flushed_behind_an_upload,
    "an acknowledgement is lost": acknowledgement_lost_after_the_commit,
    "a connection is half open": half_open,
    "twenty wake-ups come at once": twenty_wake_ups_at_once,
    "the disk is full at an upload": disk_full_at_upload,
    "a batch waits for a lock": a_batch_that_waits_for_a_lock,
}
