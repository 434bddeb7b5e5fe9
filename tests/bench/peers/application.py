"""An application under comparison: its address, and one request for each operation."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.bench.calls import PAGE_SIZE

GET, LIST, CREATE = "get one", f"list {PAGE_SIZE}", "create"
OPERATIONS = (GET, LIST, CREATE)

TASK = {
    "title": "Call the supplier 4711",
    "description": "As agreed in the meeting, item 4711",
    "status": "in_progress",
    "priority": "high",
    "due_date": "2026-12-24",
}


class PeerUnavailable(Exception):
    """A peer cannot be installed, started or reached. The message says why."""


@dataclass(frozen=True)
class Request:
    """One HTTP request, with the token of its user."""

    method: str
    path: str
    token: str
    body: bytes = b""

    @property
    def headers(self) -> Mapping[str, str]:
        headers = {"authorization": f"Bearer {self.token}"}
        return {**headers, "content-type": "application/json"} if self.body else headers


@dataclass(frozen=True)
class Application:
    """Running application, its requests by operation, and the bytes of the body of each response."""

    name: str
    url: str
    requests: Mapping[str, Request]
    response_bytes: Mapping[str, int]


def open_client(url: str) -> httpx2.AsyncClient:
    """Return a client that sends no request through a proxy."""
    return httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30)


def json_of(response: httpx2.Response) -> Any:
    """Return the body of a success. Raise PeerUnavailable for another status, a redirect included."""
    if not response.is_success:
        request = response.request
        raise PeerUnavailable(
            f"{request.method} {request.url.path} returned {response.status_code}: {response.text[:200]}"
        )
    return response.json()


@dataclass(frozen=True)
class Collection:
    """REST collection of tasks: a list has a page of them under `list_key` if the query is `page`."""

    path: str
    page: str
    list_key: str
    task: Mapping[str, str]


Login = Callable[[httpx2.AsyncClient, str], Awaitable[str]]
"""Registers a user of this name; returns its token."""


async def open_application(name: str, url: str, collection: Collection, login: Login) -> Application:
    """Create two users and a page of tasks, and check the requests.

    The tasks that are created belong to another user than those that are read: the page stays the same.
    """
    path = collection.path
    async with open_client(url) as client:
        reader, writer = await login(client, "reader"), await login(client, "writer")
        for _ in range(PAGE_SIZE):
            response = await client.post(
                path, headers={"authorization": f"Bearer {reader}"}, json=dict(collection.task)
            )
            task_id = json_of(response)["id"]
    requests = {
        GET: Request("GET", f"{path.rstrip('/')}/{task_id}", reader),
        LIST: Request("GET", f"{path}?{collection.page}", reader),
        CREATE: Request("POST", path, writer, json.dumps(collection.task).encode()),
    }
    return await check_requests(name, url, requests, list_key=collection.list_key)


async def check_requests(name: str, url: str, requests: Mapping[str, Request], *, list_key: str) -> Application:
    """Send each request once. Raise PeerUnavailable unless each succeeds and the list has a full page under its key."""
    sizes = {}
    async with open_client(url) as client:
        for operation, request in requests.items():
            response = await client.request(
                request.method, request.path, headers=dict(request.headers), content=request.body
            )
            body = json_of(response)
            if operation == LIST and len(body[list_key]) != PAGE_SIZE:
                raise PeerUnavailable(f"{request.path} returned {len(body[list_key])} tasks instead of {PAGE_SIZE}.")
            sizes[operation] = len(response.content)
    return Application(name, url, requests, sizes)
