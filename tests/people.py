"""People who use the REST API of a running system."""

import json
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Self

import httpx2 as httpx

PASSWORD = "test123"
FINAL = {"succeeded", "failed", "cancelled"}


class Api(AbstractContextManager["Api"]):
    """The REST API at a URL. Everybody's clients are closed with it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def person(self) -> "Person":
        """A new user who has logged in."""
        name = f"user-{secrets.token_hex(4)}"
        account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        made = httpx.post(f"{self.url}/api/register", json=account, timeout=60)
        assert made.status_code == 201, made.text
        return Person(made.json()["id"], self.login(account["email"], PASSWORD))

    def login(self, email: str, password: str) -> httpx.Client:
        """A client that carries the token of a login."""
        answer = httpx.post(f"{self.url}/api/login", json={"email": email, "password": password}, timeout=60)
        assert answer.status_code == 200, answer.text
        headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
        # A gateway that is being restarted is connected to again.
        transport = httpx.HTTPTransport(retries=5)
        client = httpx.Client(base_url=self.url, headers=headers, timeout=60, transport=transport)
        self._opened.callback(client.close)
        return client


class Person:
    """A user and a client that carries their token."""

    def __init__(self, user_id: str, http: httpx.Client) -> None:
        self.id = user_id
        self.http = http

    def upload(self, data: bytes | str, **options: str) -> dict[str, Any]:
        """Uploads a file as the product documents it; the import."""
        answer = self.http.post("/api/upload-csv", files={"file": ("tasks.csv", data, "text/csv")}, params=options)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def watch(self, import_id: str, *, to_the_end_of_its_undo: bool = False) -> Iterator[dict[str, Any]]:
        """The import at each change, up to its final state or its undo's; a stream that was cut is opened again."""
        while True:
            try:
                with self.http.stream("GET", f"/api/v1/imports/{import_id}:watch") as stream:
                    for line in stream.iter_lines():
                        if line.startswith("data:"):
                            found = json.loads(line.removeprefix("data:"))
                            if "state" in found:
                                yield found
                                ended = found["undo"] and found["undo"]["state"] == "succeeded"
                                if ended if to_the_end_of_its_undo else found["state"] in FINAL:
                                    return
            except httpx.TransportError:
                continue

    def finished(self, import_id: str) -> dict[str, Any]:
        """The import in its final state."""
        *_, last = self.watch(import_id)
        return last
