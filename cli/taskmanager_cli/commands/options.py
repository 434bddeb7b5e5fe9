"""Options and context that commands share."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Annotated

import typer

from taskmanager_cli.client import Client, SessionAuth, TokenAuth
from taskmanager_cli.config import config_dir
from taskmanager_cli.errors import Refused
from taskmanager_cli.personal_tokens import PersonalToken, environment_token
from taskmanager_cli.sessions import SessionStore

UUID_PATTERN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def check_ids(value: str | list[str]) -> str | list[str]:
    """Refuse a text that is no id. It could also change the path of a request."""
    for text in [value] if isinstance(value, str) else value:
        if not UUID_PATTERN.fullmatch(text):
            raise typer.BadParameter(f"{text!r} is not an id such as 01a225b0-d02d-7340-8e22-83cd6662c7d8.")
    return value


def check_day(value: str | None) -> str | None:
    """Refuse a text that is neither empty nor a day. The server names the field and not the option."""
    if value and not _is_day(value):
        raise typer.BadParameter(f"{value!r} is not a day such as 2026-12-31.")
    return value


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


Id = Annotated[str, typer.Argument(metavar="ID", callback=check_ids, help="Id, as the list shows it.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", callback=check_ids, help="Ids, as the list shows them.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that exists.")]
Bom = Annotated[bool, typer.Option("--bom", help="Begin the file with a byte order mark, for Excel.")]
Delimiter = Annotated[str, typer.Option("--delimiter", help="One of the characters , ; | or the word tab.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def session_store() -> SessionStore:
    return SessionStore(config_dir())


def url_of(ctx: typer.Context) -> str:
    """Return the server's address, which the program's callback has resolved."""
    return str(ctx.find_root().obj)


def token_in_use(url: str) -> PersonalToken | None:
    """Return the personal access token that commands use for the server; None if they use a session."""
    return environment_token(url) or session_store().load_token(url)


@contextmanager
def logged_in(ctx: typer.Context) -> Iterator[Client]:
    """Open a client with the personal access token in use, else with the stored session."""
    url = url_of(ctx)
    with by_token(token) if (token := token_in_use(url)) else by_session(url) as client:
        yield client


@contextmanager
def by_token(token: PersonalToken) -> Iterator[Client]:
    """Open a client with a personal access token. Refusals because of the token say how to go on."""
    with Client(token.url, TokenAuth(token)) as client:
        try:
            yield client
        except Refused as error:
            raise token.explain(error) from None


def by_session(url: str) -> Client:
    return Client(url, SessionAuth(url, session_store()))
