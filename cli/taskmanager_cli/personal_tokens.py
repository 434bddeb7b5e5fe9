"""Personal access tokens that the client uses instead of a session, and the errors of calls by them."""

import os
import re
from dataclasses import dataclass, field
from http import HTTPStatus

from taskmanager_cli.errors import (
    CliError,
    MalformedPersonalToken,
    PersonalTokenNotAllowed,
    PersonalTokenRefused,
    PersonalTokenScopeMissing,
    Refused,
)

VARIABLE = "TASKMANAGER_TOKEN"
_FORMAT = re.compile(r"tm_[0-9A-Za-z]{49}")
_REFUSALS = {
    "PERSONAL_TOKEN_EXPIRED": "The personal access token has expired",
    "PERSONAL_TOKEN_REVOKED": "The personal access token was revoked",
    "INVALID_PERSONAL_TOKEN": "The personal access token is wrong or unknown",
}
"""By the reason of the error. The server's message has its own advice."""


@dataclass(frozen=True, slots=True)
class PersonalToken:
    """A token for a server, from the environment or from `login --token`."""

    url: str
    token: str = field(repr=False)
    from_environment: bool = False

    @property
    def source(self) -> str:
        return VARIABLE if self.from_environment else "login --token"

    def explain(self, error: Refused) -> CliError:
        """Return the error that says how to go on, if the server refused a call because of the token."""
        login = f"Unset {VARIABLE}, log in" if self.from_environment else "Log in"
        command = f"taskmanager --url {self.url} login"
        login += f" with `{command}`"
        replace = f"set {VARIABLE} to it" if self.from_environment else f"store it with `{command} --token`"
        if error.http_status == HTTPStatus.UNAUTHORIZED:
            message = next((text for reason, text in _REFUSALS.items() if error.has_reason(reason)), str(error))
            return PersonalTokenRefused(message=message, source=self.source, login=login, replace=replace)
        if error.has_reason("TOKEN_SCOPE_MISSING"):
            scopes = error.metadata_of("TOKEN_SCOPE_MISSING").get("scopes", "SCOPE").split()
            return PersonalTokenScopeMissing(
                scopes=" or ".join(scopes), scope=scopes[0], source=self.source, login=login, replace=replace
            )
        if error.has_reason("TOKEN_NOT_ALLOWED"):
            return PersonalTokenNotAllowed(source=self.source, login=login)
        return error


def parse_token(text: str, source: str) -> str:
    """Return the token in the text. MalformedPersonalToken does not repeat the text: it may be a secret."""
    token = text.strip()
    if not _FORMAT.fullmatch(token):
        raise MalformedPersonalToken(source=source)
    return token


def environment_token(url: str) -> PersonalToken | None:
    """Return the token of TASKMANAGER_TOKEN. An empty variable is none."""
    text = os.environ.get(VARIABLE, "")
    return PersonalToken(url, parse_token(text, f"in {VARIABLE}"), from_environment=True) if text.strip() else None


def without_tokens(text: str) -> str:
    """Return the text without the secrets of tokens. Messages may end up in logs."""
    return re.sub(r"\btm_[0-9A-Za-z]{8,}", "tm_…", text)
