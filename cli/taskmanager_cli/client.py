"""REST client that logs requests in with the stored session and turns failures into errors of the client."""

import json
import ssl
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Self

import h11
import httpx2 as httpx

from taskmanager_cli.errors import (
    CliError,
    ConnectionLost,
    NotHttp,
    NotLoggedIn,
    NotTheServer,
    Refused,
    ServerFailed,
    ServerUnreachable,
    SessionEnded,
    TlsFailed,
)
from taskmanager_cli.personal_tokens import PersonalToken
from taskmanager_cli.sessions import Session, SessionStore

_TIMEOUT = httpx.Timeout(60, connect=10)
_MAX_PAGE_SIZE = 200


class SessionAuth(httpx.Auth):
    """Sends the access token, and renews it before it expires or when the server refuses it."""

    def __init__(self, url: str, store: SessionStore) -> None:
        self._url = url
        self._store = store
        self._session = store.load(url)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        session = self._session
        if session is None:
            raise NotLoggedIn(url=self._url)
        if session.is_expiring():
            session = self._renew(session)
        request.headers["authorization"] = f"Bearer {session.access_token}"
        response = yield request
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            session = self._renew(session)
            request.headers["authorization"] = f"Bearer {session.access_token}"
            yield request

    def _renew(self, used: Session) -> Session:
        """Return a session with a new access token: that of another process, or one for the refresh token."""
        with self._store.locked():
            stored = self._store.load(self._url)
            if stored is None:
                raise NotLoggedIn(url=self._url)
            if stored.access_token == used.access_token or stored.is_expiring():
                stored = self._refresh(stored)
                self._store.save(stored)
        self._session = stored
        return stored

    def _refresh(self, session: Session) -> Session:
        with Client(self._url) as client:
            try:
                response = client.post("/api/v1/token:refresh", json={"refresh_token": session.refresh_token})
            except Refused as error:
                if error.http_status != HTTPStatus.UNAUTHORIZED:
                    raise
                self._store.delete(self._url)
                raise SessionEnded(url=self._url) from None
        return Session.from_login(self._url, session.email, response)


class TokenAuth(httpx.Auth):
    """Sends a personal access token."""

    def __init__(self, token: PersonalToken) -> None:
        self._token = token

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["authorization"] = f"Bearer {self._token.token}"
        yield request


class Client:
    """The REST API of a server. Without auth, for the calls that need no login."""

    def __init__(self, url: str, auth: httpx.Auth | None = None) -> None:
        self.url = url
        self._http = httpx.Client(
            base_url=url, auth=auth, timeout=_TIMEOUT, headers={"user-agent": "taskmanager-cli"}, follow_redirects=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return self._call("GET", path, params=params)

    def post(self, path: str, **arguments: Any) -> dict[str, Any]:
        return self._call("POST", path, **arguments)

    def patch(self, path: str, changes: Mapping[str, Any], **arguments: Any) -> dict[str, Any]:
        return self._call("PATCH", path, json=changes, **arguments)

    def delete(self, path: str) -> dict[str, Any]:
        return self._call("DELETE", path)

    def items(
        self, path: str, key: str, params: Mapping[str, Any] | None = None, *, limit: int = 0
    ) -> Iterator[dict[str, Any]]:
        """Yield the items of a list from all its pages, at most `limit` if it is not 0."""
        left = limit
        token = ""
        while True:
            size = min(left, _MAX_PAGE_SIZE) if limit else _MAX_PAGE_SIZE
            page = self.get(path, {**(params or {}), "page_size": size, "page_token": token})
            yield from page[key]
            left -= len(page[key])
            token = page["next_page_token"]
            if not token or (limit and left <= 0):
                return

    @contextmanager
    def stream(
        self, path: str, params: Mapping[str, Any] | None = None, *, accept: str = "*/*"
    ) -> Iterator[httpx.Response]:
        """Open a response that is read in pieces. ConnectionLost if it breaks later."""
        with self._open("GET", path, params=params, headers={"accept": accept}) as response:
            yield response

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        with self._open(method, path, **arguments) as response:
            response.read()
        body = _json_object(response)
        if body is None:
            raise NotTheServer(url=self.url, status=response.status_code)
        return _Body(body, self.url, response.status_code)

    @contextmanager
    def _open(self, method: str, path: str, **arguments: Any) -> Iterator[httpx.Response]:
        """Open a successful response. A failure becomes an error of the client, also while the response is read."""
        has_response = False
        try:
            with self._http.stream(method, path, **arguments) as response:
                has_response = True
                if not response.is_success:
                    response.read()
                    raise self._error_of(response)
                yield response
        except httpx.RequestError as error:
            raise self._failure_of(error, has_response=has_response) from error

    def _failure_of(self, error: httpx.RequestError, *, has_response: bool) -> CliError:
        origin = _origin(error)
        reason = (origin.strerror if isinstance(origin, OSError) else None) or str(error) or type(error).__name__
        values = {"url": self.url, "reason": reason.rstrip(".")}
        # httpx has one error for bytes that are no HTTP and for a connection that closes early. h11 parses the bytes.
        if isinstance(origin, h11.RemoteProtocolError) and not has_response:
            return NotHttp(url=self.url)
        if not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return ConnectionLost(**values)
        return TlsFailed(**values) if isinstance(origin, ssl.SSLError) else ServerUnreachable(**values)

    def _error_of(self, response: httpx.Response) -> CliError:
        status = response.status_code
        error = (_json_object(response) or {}).get("error")
        if not isinstance(error, dict) or error.get("code") != status:
            failure = ServerFailed if status >= HTTPStatus.INTERNAL_SERVER_ERROR else NotTheServer
            return failure(url=self.url, status=status)
        refused = Refused(error, url=self.url, retry_after=response.headers.get("retry-after"))
        return NotTheServer(url=self.url, status=status) if refused.has_reason("ROUTE_NOT_FOUND") else refused


class _Body(dict[str, Any]):
    """JSON object of a response. NotTheServer if it lacks a field that the client needs."""

    def __init__(self, values: Mapping[str, Any], url: str, status: int) -> None:
        super().__init__(values)
        self._origin = {"url": url, "status": status}

    def __missing__(self, key: str) -> Any:
        raise NotTheServer(**self._origin)


def _json_object(response: httpx.Response) -> dict[str, Any] | None:
    if not response.content:
        return {}
    try:
        body = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None
    return body if isinstance(body, dict) else None


def _origin(error: BaseException) -> BaseException:
    """Return the first error of the chain: httpcore and httpx raise their own for it, one of them without a cause."""
    while previous := error.__cause__ or error.__context__:
        error = previous
    return error
