"""Users of the REST API of a running system."""

import json
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Self

import httpx2 as httpx

PASSWORD = "test123"
FINAL_STATES = {"succeeded", "failed", "cancelled"}


class RestApi(AbstractContextManager["RestApi"]):
    """The REST API at a URL. Leaving the context closes every client."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._clients.close()

    def new_user(self) -> "User":
        """Register a user and log in."""
        name = f"user-{secrets.token_hex(4)}"
        account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        created = httpx.post(f"{self.url}/api/register", json=account, timeout=60)
        assert created.status_code == 201, created.text
        return User(created.json()["id"], self.login(account["email"], PASSWORD))

    def login(self, email: str, password: str) -> httpx.Client:
        """Log in; return a client that carries the token."""
        response = httpx.post(f"{self.url}/api/login", json={"email": email, "password": password}, timeout=60)
        assert response.status_code == 200, response.text
        headers = {"authorization": f"Bearer {response.json()['access_token']}"}
        # Retries reconnect to a gateway that restarts.
        transport = httpx.HTTPTransport(retries=5)
        client = httpx.Client(base_url=self.url, headers=headers, timeout=60, transport=transport)
        self._clients.callback(client.close)
        return client


class User:
    """A user and a client that carries their token."""

    def __init__(self, user_id: str, http: httpx.Client) -> None:
        self.id = user_id
        self.http = http

    def upload(self, data: bytes | str, **options: str) -> dict[str, Any]:
        """Upload a file as the README documents it; return the import."""
        files = {"file": ("tasks.csv", data, "text/csv")}
        response = self.http.post("/api/upload-csv", files=files, params=options)
        assert response.status_code == 202, response.text
        return response.json()

    def watch_import(self, import_id: str, *, until_undone: bool = False) -> Iterator[dict[str, Any]]:
        """Yield the import at each change up to its final state, or up to the end of its undo.

        A stream that breaks is opened again.
        """
        while True:
            try:
                with self.http.stream("GET", f"/api/v1/imports/{import_id}:watch") as stream:
                    for line in stream.iter_lines():
                        event = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                        if "state" in event:
                            yield event
                            is_undone = event["undo"] and event["undo"]["state"] == "succeeded"
                            if is_undone if until_undone else event["state"] in FINAL_STATES:
                                return
            except httpx.TransportError:
                continue

    def wait_for_import(self, import_id: str) -> dict[str, Any]:
        """Return the import in its final state."""
        *_, last = self.watch_import(import_id)
        return last
