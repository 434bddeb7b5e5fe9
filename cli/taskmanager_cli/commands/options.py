"""Options and context that commands share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from taskmanager_cli.client import Client, SessionAuth
from taskmanager_cli.config import config_dir
from taskmanager_cli.sessions import SessionStore

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def session_store() -> SessionStore:
    return SessionStore(config_dir())


def url_of(ctx: typer.Context) -> str:
    """Return the server's address, which the program's callback has resolved."""
    return str(ctx.find_root().obj)


@contextmanager
def logged_in(ctx: typer.Context) -> Iterator[Client]:
    """Open a client with the stored session."""
    url = url_of(ctx)
    with Client(url, SessionAuth(url, session_store())) as client:
        yield client
