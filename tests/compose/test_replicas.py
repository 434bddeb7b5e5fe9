"""Replicas of docker-compose.yml that are killed under load."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2 as httpx

from tests.compose.containers import kill_process, kill_process_and_wait
from tests.support.users import User
from tests.support.waiting import wait_until

CALLERS = 4


class Load:
    """Requests of one user that the gateway may repeat: reads of both services, and writes with a key.

    Each caller sends its next request when it has a response, so that calls are in flight when a replica dies.
    """

    def __init__(self, person: User) -> None:
        self._http = person.http
        self._stopped = threading.Event()
        self.succeeded: list[str] = []
        self.written: list[str] = []
        self.failures: list[str] = []

    def _run(self) -> None:
        while not self._stopped.is_set():
            key = secrets.token_hex(16)
            self.written.append(key)
            self._request("POST", "/api/v1/tasks", json={"title": key}, headers={"idempotency-key": key})
            self._request("GET", "/api/v1/me")
            self._request("GET", "/api/v1/tasks")

    def _request(self, method: str, path: str, **arguments: Any) -> None:
        try:
            response = self._http.request(method, path, **arguments)
        except httpx.TransportError as error:
            self.failures.append(f"{method} {path}: {error!r}")
        else:
            text = f"{method} {path}: {response.status_code}"
            if response.is_success:
                self.succeeded.append(text)
            else:
                self.failures.append(f"{text} {response.text}")

    def wait_for(self, further: int) -> None:
        """Return when so many further requests have succeeded."""
        target = len(self.succeeded) + further
        wait_until(lambda: len(self.succeeded) >= target, seconds=60)

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._run) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join()


def test_killed_replicas_fail_no_request(compose, person):
    """Each replica's process is killed in turn. No request fails that the gateway may repeat, no write is doubled."""
    load = Load(person)
    with load.running():
        for service in ("task_service", "auth_service", "import_worker"):
            replicas = compose.containers(service)
            assert len(replicas) == 2
            for container in replicas:
                kill_process_and_wait(container)
                # The load goes on with both replicas before the next one is killed.
                load.wait_for(20)
    assert load.failures == []
    stored = person.http.get("/api/v1/tasks", params={"include_total": "true"}).json()["total_size"]
    assert stored == len(load.written)


def test_import_continues_after_killed_workers(compose, person):
    """A killed worker loses no row of an import: its replica takes over, and the import succeeds."""
    rows = "".join(f"Row {number}\n" for number in range(20_000))
    upload = person.upload(f"title\n{rows}")
    for container in compose.containers("import_worker"):
        kill_process(container)
    finished = person.wait_for_import(upload["id"])
    assert (finished["state"], finished["rows_created"], finished["rows_failed"]) == ("succeeded", 20_000, 0)
