"""Sessions and personal access tokens by server, in the user's keyring or in a file that only the user can read."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from taskmanager_cli.config import write_private
from taskmanager_cli.errors import SessionsLocked
from taskmanager_cli.personal_tokens import PersonalToken

_SERVICE = "taskmanager"
_LOCK_SECONDS = 60
_RENEW_BEFORE_SECONDS = 30

_Credential = TypeVar("_Credential", "Session", PersonalToken)


@dataclass(frozen=True, slots=True)
class Session:
    """A login at a server."""

    url: str
    email: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float
    """Unix time at which the access token expires."""

    @classmethod
    def from_login(cls, url: str, email: str, response: Mapping[str, Any]) -> "Session":
        """Return the session of a response to login or token:refresh."""
        return cls(
            url=url,
            email=email,
            access_token=response["access_token"],
            refresh_token=response["refresh_token"],
            expires_at=time.time() + float(response["expires_in"]),
        )

    def is_expiring(self) -> bool:
        return time.time() > self.expires_at - _RENEW_BEFORE_SECONDS


class SessionStore:
    """The stored session, or the personal access token instead of it, of each server.

    A keyring is used if one works, the file otherwise.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "sessions.json"
        self._lock = FileLock(folder / "sessions.lock", timeout=_LOCK_SECONDS, mode=0o600)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Exclude other processes. A refresh token works once: two processes must not send the same one."""
        try:
            self._lock.acquire()
        except Timeout:
            raise SessionsLocked(path=self._lock.lock_file) from None
        try:
            yield
        finally:
            self._lock.release()

    def load(self, url: str) -> Session | None:
        return self._load(url, Session)

    def load_token(self, url: str) -> PersonalToken | None:
        return self._load(url, PersonalToken)

    def _load(self, url: str, kind: type[_Credential]) -> _Credential | None:
        """Return what is stored for the server, if it is of this kind. The two kinds have different fields."""
        text = self._read_file().get(url) or _keyring_get(url)
        try:
            return kind(**json.loads(text)) if text else None
        except (ValueError, TypeError):
            return None

    def save(self, credential: Session | PersonalToken) -> None:
        text = json.dumps(asdict(credential))
        with self.locked():
            sessions = self._read_file()
            if _keyring_set(credential.url, text):
                sessions.pop(credential.url, None)
            else:
                sessions[credential.url] = text
            self._write_file(sessions)

    def delete(self, url: str) -> None:
        with self.locked():
            sessions = self._read_file()
            sessions.pop(url, None)
            self._write_file(sessions)
            _keyring_delete(url)

    def _read_file(self) -> dict[str, str]:
        try:
            sessions = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return sessions if isinstance(sessions, dict) else {}

    def _write_file(self, sessions: dict[str, str]) -> None:
        if sessions or self._file.exists():
            write_private(self._file, json.dumps(sessions))


# Backends of keyring raise errors of their own: those of D-Bus, of the operating system, of missing programs.
# Whichever it is, the file takes the session.


def _keyring_get(url: str) -> str | None:
    with suppress(Exception):
        import keyring

        return keyring.get_password(_SERVICE, url)
    return None


def _keyring_set(url: str, text: str) -> bool:
    """Return True if the keyring has the text now. Some backends accept every text and store none."""
    with suppress(Exception):
        import keyring

        keyring.set_password(_SERVICE, url, text)
        return keyring.get_password(_SERVICE, url) == text
    return False


def _keyring_delete(url: str) -> None:
    with suppress(Exception):
        import keyring

        keyring.delete_password(_SERVICE, url)
