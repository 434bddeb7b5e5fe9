"""Faults of a running system. Each function causes one, and repairs what does not recover by itself."""

import os
import resource
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

import httpx2 as httpx
import psycopg
from psycopg import sql

from task_service.imports.clients.worker_notifier import CeleryWorkerNotifier
from tests.faults.proxy import Mode
from tests.faults.system import LEASE_SECONDS, WORKERS, SystemUnderTest
from tests.faults.workload import Workload

Fault = Callable[[SystemUnderTest, Workload], None]

_DATABASE_CONNECTIONS = 10
"""Default of TASKS_DATABASE_POOL_SIZE."""


def _signal_fault(signal_number: signal.Signals, *names: str) -> Fault:
    def send(system: SystemUnderTest, workload: Workload) -> None:
        # An orchestrator sends SIGTERM to the process alone, not to its group.
        system.signal(workload.rng.choice(names), signal_number, group=signal_number is signal.SIGKILL)

    return send


def pause_worker_past_its_lease(system: SystemUnderTest, workload: Workload) -> None:
    """Stop a worker until its lease has expired; it continues as if it still held the lease."""
    name = workload.rng.choice(WORKERS)
    system.signal(name, signal.SIGSTOP)
    threading.Event().wait(LEASE_SECONDS + 1.5)
    system.signal(name, signal.SIGCONT)


def lose_a_wake_up(system: SystemUnderTest, workload: Workload) -> None:
    """Stop the workers with open connections, so that one receives a message; kill them before it is stored."""
    for name in WORKERS:
        system.signal(name, signal.SIGSTOP)
    workload.upload(max_rows=2000)
    threading.Event().wait(0.5)
    for name in WORKERS:
        system.signal(name, signal.SIGKILL)


def kill_server_during_upload(system: SystemUnderTest, workload: Workload) -> None:
    """Kill or stop a server that receives a file when half of it has arrived. It becomes a whole import or none."""
    name = workload.rng.choice(("gateway", "task_service"))
    signal_number = workload.rng.choice((signal.SIGKILL, signal.SIGTERM))
    workload.upload(at_half=lambda: system.signal(name, signal_number, group=signal_number is signal.SIGKILL))


def flush_redis_after_upload(system: SystemUnderTest, workload: Workload) -> None:
    system.wait_until_healthy()  # the fault before may have killed Redis, which this fault itself calls
    workload.upload(max_rows=2000)
    with system.redis() as client:
        client.flushall()


def lose_an_acknowledgement(system: SystemUnderTest, workload: Workload) -> None:
    """Let only the proxied worker work. Its batches reach task_service, the acknowledgements do not come back."""
    system.signal("import_worker-1", signal.SIGSTOP)
    workload.upload()
    threading.Event().wait(LEASE_SECONDS * workload.rng.random())
    system.tasks_proxy.mode = Mode.DROP_RESPONSES
    threading.Event().wait(0.2)
    system.tasks_proxy.cut()
    system.tasks_proxy.mode = Mode.FORWARD
    system.signal("import_worker-1", signal.SIGCONT)


def half_open_connection(system: SystemUnderTest, workload: Workload) -> None:
    """Drop all bytes of a worker's connections without closing them; later close them."""
    proxy = workload.rng.choice((system.tasks_proxy, system.redis_proxy))
    proxy.mode = Mode.HALF_OPEN
    workload.upload(max_rows=5000)
    threading.Event().wait(LEASE_SECONDS + 2)
    proxy.cut()
    proxy.mode = Mode.FORWARD


def send_twenty_wake_ups(system: SystemUnderTest, workload: Workload) -> None:
    system.wait_until_healthy()  # as in flush_redis_after_upload
    wake_ups = CeleryWorkerNotifier(system.stack.endpoints["redis_url"])
    try:
        wake_ups.publish_now(20)
    finally:
        wake_ups.close()


def fill_the_disk(system: SystemUnderTest, workload: Workload) -> None:
    """Limit the size of files that task_service writes: a write then fails as on a full disk."""
    system.wait_until_healthy()  # otherwise the response may come from the fault before
    pid = system.pid("task_service")
    log = system.stack.data_dir / "logs" / "task_service.log"
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    max_bytes = log.stat().st_size + 1024 * 1024
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (max_bytes, before[1]))

    def upload() -> httpx.Response:
        return workload.users[0].http.post(
            "/api/v1/imports",
            content=b"title\n" + b"No room for this\n" * (2 * max_bytes // 17),
            headers={"content-type": "text/csv"},
            params={"file_name": "too much for the disk"},
        )

    try:
        # A connection to the database that an earlier fault broke is noticed when it is used, each by a 503.
        for _ in range(_DATABASE_CONNECTIONS + 1):
            response = upload()
            if response.status_code != 503:
                break
        assert response.status_code == 507, f"{response.status_code} {response.text}"
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    assert system.stack.sql("SELECT id FROM tasks.imports WHERE file_name = 'too much for the disk'") == []


def lock_the_tables(system: SystemUnderTest, workload: Workload) -> None:
    """Lock the event table for longer than a lease, as maintenance work does."""
    system.wait_until_healthy()
    with psycopg.connect(system.stack.endpoints["postgres_url"]) as connection:
        connection.execute("LOCK TABLE tasks.task_events IN EXCLUSIVE MODE")
        threading.Event().wait(LEASE_SECONDS + 1)


def hold_a_row_lock(system: SystemUnderTest, workload: Workload) -> None:
    """Lock the row of an import that is in progress for longer than a lease, as an idle session of an operator does."""
    workload.upload()
    system.wait_until_healthy()
    with psycopg.connect(system.stack.endpoints["postgres_url"]) as connection:
        connection.execute(
            "SELECT FROM tasks.imports WHERE state IN ('queued', 'running') ORDER BY id LIMIT 1 FOR UPDATE"
        )
        threading.Event().wait(LEASE_SECONDS + 1)


def restart_task_service_without_auth(system: SystemUnderTest, workload: Workload) -> None:
    """Kill task_service while auth_service hangs: it has no keys and no user directory when it is back."""
    system.signal("auth_service", signal.SIGSTOP)
    system.signal("task_service", signal.SIGKILL)
    threading.Event().wait(LEASE_SECONDS + workload.rng.random())
    system.signal("auth_service", signal.SIGCONT)


def make_the_database_read_only(system: SystemUnderTest, workload: Workload) -> None:
    """Refuse writes in new sessions and end the open ones, as after a failover to a replica."""
    system.wait_until_healthy()
    _set_read_only(system, "on")
    workload.upload()
    threading.Event().wait(LEASE_SECONDS + 1)
    _set_read_only(system, "off")


def _set_read_only(system: SystemUnderTest, value: str) -> None:
    with psycopg.connect(system.stack.endpoints["postgres_url"], autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}").format(
                sql.Identifier(connection.info.dbname), sql.SQL(value)
            )
        )
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE '%_app'")


def silence_database_sessions(system: SystemUnderTest, workload: Workload) -> None:
    """Stop the server processes of task_service's sessions: the connections stay open, and nothing comes back."""
    system.wait_until_healthy()
    sessions = system.stack.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'tasks_app'")
    pids = workload.rng.sample([pid for (pid,) in sessions], k=min(2, len(sessions)))
    for number, pause in ((signal.SIGSTOP, LEASE_SECONDS + 2.0), (signal.SIGCONT, 0.0)):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        threading.Event().wait(pause)


FAULTS: dict[str, Fault] = {
    "a worker is killed": _signal_fault(signal.SIGKILL, *WORKERS),
    "a worker gets SIGTERM": _signal_fault(signal.SIGTERM, *WORKERS),
    "task_service is killed": _signal_fault(signal.SIGKILL, "task_service"),
    "task_service gets SIGTERM": _signal_fault(signal.SIGTERM, "task_service"),
    "the gateway is killed": _signal_fault(signal.SIGKILL, "gateway"),
    "the gateway gets SIGTERM": _signal_fault(signal.SIGTERM, "gateway"),
    "auth_service is killed": _signal_fault(signal.SIGKILL, "auth_service"),
    "a server dies during an upload": kill_server_during_upload,
    "Redis is killed": _signal_fault(signal.SIGKILL, "redis"),
    # The signal of `pg_ctl stop -m immediate`.
    "Postgres stops immediately": _signal_fault(signal.SIGQUIT, "postgres"),
    "a worker is paused past its lease": pause_worker_past_its_lease,
    "a wake-up is lost": lose_a_wake_up,
    "Redis is flushed after an upload": flush_redis_after_upload,
    "an acknowledgement is lost": lose_an_acknowledgement,
    "a connection is half-open": half_open_connection,
    "twenty wake-ups are sent": send_twenty_wake_ups,
    "the disk is full during an upload": fill_the_disk,
    "a batch waits for a lock": lock_the_tables,
    "an import's row is locked": hold_a_row_lock,
    "the database is read-only": make_the_database_read_only,
    "database sessions fall silent": silence_database_sessions,
    "task_service restarts while auth_service hangs": restart_task_service_without_auth,
}
