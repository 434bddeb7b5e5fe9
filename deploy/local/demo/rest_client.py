"""REST client with the calls that the demo makes."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import httpx2

from deploy.local.errors import LocalStackError

Json = Mapping[str, Any]

_TIMEOUT_SECONDS = 60.0
"""Read timeout of a call. While an import runs, its watch stream sends progress more often than this."""


class UnexpectedResponse(LocalStackError):
    """The gateway returned an error, or a response that the demo cannot use."""


class RestClient:
    """Client of one gateway, open for the time of an `async with`. Each call raises UnexpectedResponse for an error."""

    def __init__(self, gateway_url: str) -> None:
        # trust_env=False ignores HTTP_PROXY and the like: the requests stay on this machine.
        self._http = httpx2.AsyncClient(base_url=gateway_url, trust_env=False, timeout=_TIMEOUT_SECONDS)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def register(self, username: str, email: str, password: str) -> Json:
        """Register a user and return it."""
        body = {"username": username, "email": email, "password": password}
        return await self._call("POST", "/api/v1/register", json=body)

    async def login(self, email: str, password: str) -> Json:
        """Log in and return the response. Every later call sends the access token."""
        response = await self._call("POST", "/api/v1/login", json={"email": email, "password": password})
        self._http.headers["authorization"] = f"Bearer {response['access_token']}"
        return response

    async def create_task(self, task: Json) -> Json:
        """Create a task and return it."""
        return await self._call("POST", "/api/v1/tasks", json=task)

    async def upload_csv(self, file_name: str, content: bytes) -> Json:
        """Upload a file and return the queued import. The same file may be uploaded again."""
        files = {"file": (file_name, content, "text/csv")}
        return await self._call("POST", "/api/upload-csv", files=files, params={"allow_same_file": "true"})

    async def watch_import(self, import_id: str) -> AsyncIterator[Json]:
        """Yield the import after each change, until its state is final."""
        path = f"/api/v1/imports/{import_id}:watch"
        headers = {"accept": "text/event-stream"}
        with _translate_transport_errors("GET", path):
            async with self._http.stream("GET", path, headers=headers) as response:
                if response.is_error:
                    await response.aread()
                    raise _unexpected_response(response)
                async for event in httpx2.EventSource(response):
                    message = event.json()
                    if not isinstance(message, dict) or "state" not in message:
                        raise UnexpectedResponse(f"GET {path} sent an unexpected event: {event.data}")
                    yield message

    async def list_import_errors(self, import_id: str) -> list[Json]:
        """Return all row errors of an import, from all pages."""
        errors: list[Json] = []
        page_token = ""
        while True:
            page = await self._call("GET", f"/api/v1/imports/{import_id}/errors", params={"page_token": page_token})
            errors += page["errors"]
            page_token = page["next_page_token"]
            if not page_token:
                return errors

    async def list_newest_tasks(self, page_size: int) -> list[Json]:
        """Return the newest tasks."""
        page = await self._call("GET", "/api/v1/tasks", params={"page_size": page_size})
        return list(page["tasks"])

    async def list_task_events(self, task_id: str) -> list[Json]:
        """Return the first page of a task's history."""
        return list((await self._call("GET", f"/api/v1/tasks/{task_id}/events"))["events"])

    async def _call(self, method: str, path: str, **request: Any) -> Json:
        with _translate_transport_errors(method, path):
            response = await self._http.request(method, path, **request)
        if response.is_error:
            raise _unexpected_response(response)
        return dict(response.json())


@contextmanager
def _translate_transport_errors(method: str, path: str) -> Iterator[None]:
    try:
        yield
    except httpx2.TransportError as error:
        raise UnexpectedResponse(f"{method} {path} got no response: {error!r}") from error


def _unexpected_response(response: httpx2.Response) -> UnexpectedResponse:
    request = response.request
    return UnexpectedResponse(
        f"{request.method} {request.url.path} returned status {response.status_code}: {response.text}"
    )
