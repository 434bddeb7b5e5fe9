"""Errors that end a command. The docstring is the message, the class has the exit code."""

from enum import IntEnum
from http import HTTPStatus
from typing import Any, ClassVar, Self


class ExitCode(IntEnum):
    """Exit codes of the program, as docs/cli.md lists them."""

    REFUSED = 1
    USAGE = 2
    NOT_LOGGED_IN = 3
    UNREACHABLE = 4
    INTERNAL = 70
    INTERRUPTED = 130


class CliError(Exception):
    """The command failed."""

    exit_code = ExitCode.REFUSED

    def __init__(self, **values: object) -> None:
        super().__init__(" ".join((type(self).__doc__ or "").split()).format(**values))

    def lines(self) -> list[str]:
        """Return the message, and further lines below it."""
        return [str(self)]


class NotLoggedIn(CliError):
    """You are not logged in at {url}. Log in with `taskmanager --url {url} login`."""

    exit_code = ExitCode.NOT_LOGGED_IN


class SessionEnded(CliError):
    """Your session at {url} has ended. Log in again with `taskmanager --url {url} login`."""

    exit_code = ExitCode.NOT_LOGGED_IN


class MalformedPersonalToken(CliError):
    """The text {source} is no personal access token: `tm_` and 49 letters and digits. Copy the token again.

    `taskmanager token create` makes a new one.
    """

    exit_code = ExitCode.NOT_LOGGED_IN


class PersonalTokenRefused(CliError):
    """{message} ({source}).

    {login}, create a token with `taskmanager token create NAME --scope SCOPE`, and {replace}.
    """

    exit_code = ExitCode.NOT_LOGGED_IN


class PersonalTokenScopeMissing(CliError):
    """The personal access token ({source}) has no scope {scopes}, which this command needs.

    {login}, create a token with `taskmanager token create NAME --scope {scope}` and a --scope for each other scope that
    you need, and {replace}.
    """


class PersonalTokenNotAllowed(CliError):
    """No personal access token allows this command, and one is in use ({source}). {login}, then repeat the command."""


class ServerUnreachable(CliError):
    """The server at {url} does not respond: {reason}.

    Check that it runs, or name another one with --url or TASKMANAGER_URL.
    """

    exit_code = ExitCode.UNREACHABLE


class NotTheServer(CliError):
    """The server at {url} is not a task manager: its response of status {status} is not of this API.

    Check --url and TASKMANAGER_URL.
    """

    exit_code = ExitCode.UNREACHABLE


class NotHttp(CliError):
    """The server at {url} is not the REST API of a task manager: its response is no HTTP/1.1.

    Check --url and TASKMANAGER_URL.
    """

    exit_code = ExitCode.UNREACHABLE


class ServerFailed(CliError):
    """The server at {url}, or a proxy before it, failed with status {status}. Repeat the command in a minute.

    If that does not help, tell the administrator of the server.
    """

    exit_code = ExitCode.UNREACHABLE


class TlsFailed(CliError):
    """There is no secure connection to {url}: {reason}.

    Check that the address is right and that it has TLS. SSL_CERT_FILE names a file with further certificate
    authorities to trust.
    """

    exit_code = ExitCode.UNREACHABLE


class ConnectionLost(CliError):
    """The connection to {url} broke before the response was complete: {reason}. Repeat the command."""

    exit_code = ExitCode.UNREACHABLE


class UnusableFile(CliError):
    """Can't use {path}: {reason}. Check the path, its permissions and the space on the disk."""

    exit_code = ExitCode.USAGE

    @classmethod
    def from_error(cls, error: OSError, path: object) -> Self:
        """Return the error for one of the operating system."""
        return cls(path=path, reason=(error.strerror or str(error)).lower())


class UndecodableText(CliError):
    """An argument, an environment variable or the input is no text in {encoding}, the encoding of your locale.

    Write it in that encoding, or set LC_ALL to the locale whose encoding it has.
    """

    exit_code = ExitCode.USAGE


class FileExists(CliError):
    """{path} exists. Name another file, or replace it with --force."""

    exit_code = ExitCode.USAGE


class NotImportable(CliError):
    """{path} can't be imported yet: {message} Repeat the command with `--option {option}`."""


class ErrorsFileIsImported(CliError):
    """{path} is the file that is imported. Name another file for the rejected rows."""

    exit_code = ExitCode.USAGE


class SessionsLocked(CliError):
    """Another taskmanager program holds the lock {path}. Wait for its end, then repeat the command."""


class DuplicateFile(CliError):
    """The same file was uploaded as the import {import_id}, {advice}.

    Or import the file again with `--option allow_same_file=true`, or check it with other options by `--dry-run`.
    """

    ADVICE: ClassVar = {
        "queued": "which is queued. Watch it with `taskmanager imports watch {import_id}`",
        "running": "which is running. Watch it with `taskmanager imports watch {import_id}`",
        "succeeded": "which has succeeded. Undo it with `taskmanager import --undo {import_id}`",
        "undoing": "whose undo is in progress. Wait for its end with `taskmanager imports watch {import_id}`",
    }
    """By the state of that import."""

    def __init__(self, *, import_id: str, import_state: str) -> None:
        super().__init__(import_id=import_id, advice=self.ADVICE[import_state].format(import_id=import_id))


class ImportNotSuccessful(CliError):
    """The import {import_id} {state}: {reason}.

    Rows before that stay. Undo them with `taskmanager import --undo {import_id}`.
    """


class UserNotFound(CliError):
    """No user has the name {name}. Use a username, a user's id or me; an email does not work here."""


class TokenNotFound(CliError):
    """You have no active token with the id or name {name}. See `taskmanager token list`."""


class AmbiguousTokenName(CliError):
    """Several tokens have the name {name}: {ids}. Name one by its id."""


_UNAVAILABLE = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


class Refused(CliError):
    """{message}."""

    def __init__(self, error: dict[str, Any], *, url: str, retry_after: str | None = None) -> None:
        self._url = url
        super().__init__(message=str(error.get("message") or "The server refused the request").rstrip("."))
        self.http_status = int(error.get("code") or 0)
        self.details: list[dict[str, Any]] = error.get("details") or []
        self.request_id = error.get("request_id")
        self.retry_after = retry_after
        # An error of the server that names no reason but its status has a cause that only the logs know.
        is_explained = any(detail.get("reason") != error.get("status") for detail in self.details)
        self.is_server_error = self.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR
        self._is_failure = self.is_server_error and not is_explained
        is_unavailable = self._is_failure and self.http_status in _UNAVAILABLE
        self.exit_code = ExitCode.UNREACHABLE if is_unavailable else ExitCode.REFUSED

    def has_reason(self, reason: str) -> bool:
        """Return True if a detail of the error has the reason."""
        return any(detail.get("reason") == reason for detail in self.details)

    def metadata_of(self, reason: str) -> dict[str, str]:
        """Return the facts of the detail with the reason, empty if there is none."""
        found = (detail.get("metadata") for detail in self.details if detail.get("reason") == reason)
        return next(found, None) or {}

    def lines(self) -> list[str]:
        """Return the message, one line for each invalid field if there are several, and the advice to repeat."""
        lines = [str(self)]
        if len(self.details) > 1:
            lines = [f"{detail.get('field') or 'request'}: {detail.get('message')}" for detail in self.details]
        lines = [line.replace("See /docs", f"See {self._url}/docs") for line in lines]
        if self.retry_after:
            unit = "second" if self.retry_after == "1" else "seconds"
            lines.append(f"Repeat the command in {self.retry_after} {unit}.")
        if self._is_failure:
            lines.append(f"The server's logs have the cause under the request id {self.request_id}.")
        return lines
