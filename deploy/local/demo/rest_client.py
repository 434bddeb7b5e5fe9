"""The calls that the demo makes of the REST gateway, as any client would make them."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import httpx2

from deploy.local.errors import LocalStackError

Json = Mapping[str, Any]

_SECONDS = 60.0
"""How long the gateway may be silent; an import's progress is told more often than that."""


class UnexpectedAnswer(LocalStackError):
    """The gateway answered otherwise than the demo needs."""


class RestClient:
    """A client of one gateway, for the time of an `async with`. Each call raises UnexpectedAnswer for an error."""

    def __init__(self, gateway_url: str) -> None:
        # Without a look at HTTP_PROXY and the like: this never leaves the machine.
        self._http = httpx2.AsyncClient(base_url=gateway_url, trust_env=False, timeout=_SECONDS)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def register(self, username: str, email: str, password: str) -> Json:
        """Returns the new user."""
        body = {"username": username, "email": email, "password": password}
        return await self._call("POST", "/api/v1/register", json=body)

    async def login(self, email: str, password: str) -> Json:
        """Returns the login's answer and sends its token with every later call."""
        answer = await self._call("POST", "/api/v1/login", json={"email": email, "password": password})
        self._http.headers["authorization"] = f"Bearer {answer['access_token']}"
        return answer

    async def create_task(self, task: Json) -> Json:
        """Returns the new task."""
        return await self._call("POST", "/api/v1/tasks", json=task)

    async def upload_csv(self, file_name: str, content: bytes) -> Json:
        """Returns the queued import, of the same file once more if need be."""
        files = {"file": (file_name, content, "text/csv")}
        return await self._call("POST", "/api/upload-csv", files=files, params={"allow_same_file": "true"})

    async def watch_import(self, import_id: str) -> AsyncIterator[Json]:
        """Yields the import each time that it has changed, until its state is final."""
        path = f"/api/v1/imports/{import_id}:watch"
        headers = {"accept": "text/event-stream"}
        with _answering("GET", path):
            async with self._http.stream("GET", path, headers=headers) as response:
                if response.is_error:
                    await response.aread()
                    raise _unexpected(response)
                async for event in httpx2.EventSource(response):
                    message = event.json()
                    if not isinstance(message, dict) or "state" not in message:
                        raise UnexpectedAnswer(f"GET {path} sent {event.data}")
                    yield message

    async def import_errors(self, import_id: str) -> list[Json]:
        """Returns everything that was wrong with an import's rows, page by page."""
        errors: list[Json] = []
        token = ""
        while True:
            page = await self._call("GET", f"/api/v1/imports/{import_id}/errors", params={"page_token": token})
            errors += page["errors"]
            token = page["next_page_token"]
            if not token:
                return errors

    async def tasks(self, page_size: int) -> list[Json]:
        """Returns the newest tasks."""
        page = await self._call("GET", "/api/v1/tasks", params={"page_size": page_size})
        return list(page["tasks"])

    async def task_events(self, task_id: str) -> list[Json]:
        """Returns the first page of a task's history."""
        return list((await self._call("GET", f"/api/v1/tasks/{task_id}/events"))["events"])

    async def _call(self, method: str, path: str, **more: Any) -> Json:
        with _answering(method, path):
            response = await self._http.request(method, path, **more)
        if response.is_error:
            raise _unexpected(response)
        return dict(response.json())


@contextmanager
def _answering(method: str, path: str) -> Iterator[None]:
    try:
        yield
    except httpx2.TransportError as error:
        raise UnexpectedAnswer(f"{method} {path} got no answer: {error!r}") from error


def _unexpected(response: httpx2.Response) -> UnexpectedAnswer:
    request = response.request
    return UnexpectedAnswer(f"{request.method} {request.url.path} answered {response.status_code}: {response.text}")
