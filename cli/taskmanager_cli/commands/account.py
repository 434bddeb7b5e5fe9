"""Commands for the login: login, logout, whoami."""

import os
import sys
from contextlib import AbstractContextManager
from typing import Annotated, Any

import typer

from taskmanager_cli.client import Client
from taskmanager_cli.commands.options import Json, by_session, by_token, logged_in, session_store, token_in_use, url_of
from taskmanager_cli.config import sends_in_clear, store_url
from taskmanager_cli.errors import CliError, NotLoggedIn, PersonalTokenScopeMissing, SessionEnded
from taskmanager_cli.output import note, print_fields, print_json
from taskmanager_cli.personal_tokens import VARIABLE, PersonalToken, parse_token
from taskmanager_cli.sessions import Session


def login(
    ctx: typer.Context,
    email: Annotated[str, typer.Option("--email", "-e", help="Email of the account. Default: asked.")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin.")
    ] = False,
    token: Annotated[
        bool, typer.Option("--token", help="Use a personal access token. It is asked, or read from stdin.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Log in and keep the session or the token, in the keyring or in a file that only you can read."""
    server = url_of(ctx)
    if token and (email or password_stdin):
        raise typer.BadParameter("--token needs no --email and no --password-stdin.")
    if sends_in_clear(server):
        note(
            f"Warning: {server} has no TLS, so others on the network can read your {'token' if token else 'password'}."
        )
    user = _login_by_token(server) if token else _login_by_password(server, email, password_stdin=password_stdin)
    store_url(server)
    as_user = f" as {user['username']}" if user else ""
    note(f"Logged in at {server}{as_user}{' with a personal access token' if token else ''}.")
    if os.environ.get(VARIABLE):
        note(f"Warning: {VARIABLE} is set. Commands use it instead of this login until you unset it.")
    if as_json:
        print_json({"url": server, "user": user})


def _login_by_password(server: str, email: str, *, password_stdin: bool) -> dict[str, Any]:
    if not sys.stdin.isatty() and not (email and password_stdin):
        raise typer.BadParameter("Nobody can be asked here. Use --email and --password-stdin, or --token.")
    email = email or typer.prompt("Email", err=True)
    password = _first_line() if password_stdin else typer.prompt("Password", hide_input=True, err=True)
    if not password:
        raise typer.BadParameter("The password is empty.", param_hint="--password-stdin")
    with Client(server) as client:
        response = client.post("/api/v1/login", json={"email": email, "password": password})
    session_store().save(Session.from_login(server, email, response))
    user: dict[str, Any] = response["user"]
    return user


def _login_by_token(server: str) -> dict[str, Any] | None:
    """Store a token that the server accepts. Return its user, None if the token may not read the account."""
    text = typer.prompt("Token", hide_input=True, err=True) if sys.stdin.isatty() else _first_line()
    token = PersonalToken(server, parse_token(text, "that you gave"))
    user = _read_user(by_token(token))
    session_store().save(token)
    return user


def _first_line() -> str:
    return sys.stdin.readline().rstrip("\r\n")


def _read_user(opened: AbstractContextManager[Client]) -> dict[str, Any] | None:
    """Return the account, None if the personal access token lacks the scope for it."""
    try:
        with opened as client:
            return client.get("/api/v1/me")
    except PersonalTokenScopeMissing:
        return None


def logout(ctx: typer.Context, as_json: Json = False) -> None:
    """End the session at the server and delete it here."""
    url = url_of(ctx)
    ended = False
    if session_store().load_token(url):
        note(f"The personal access token for {url} is deleted here, and stays valid at the server.")
        note(f"End it with `taskmanager token revoke ID_OR_NAME`, which needs `taskmanager --url {url} login`.")
    else:
        ended = _end_session(url)
    session_store().delete(url)
    if ended:
        note(f"Logged out at {url}.")
    if os.environ.get(VARIABLE):
        note(f"{VARIABLE} is still set, and commands use it. Unset it to be logged out.")
    if as_json:
        print_json({"url": url, "ended": ended})


def _end_session(url: str) -> bool:
    """End the session at the server. Return True if it has ended there."""
    try:
        with by_session(url) as client:
            client.post("/api/v1/logout", json={})
    except NotLoggedIn:
        note(f"You are not logged in at {url}.")
    except SessionEnded:
        note(f"Your session at {url} had ended already.")
    except CliError as error:
        note(f"Warning: the session may go on at the server until it expires: {error}")
    else:
        return True
    return False


def whoami(ctx: typer.Context, as_json: Json = False) -> None:
    """Show the account that is logged in, and the personal access token if one is in use."""
    url = url_of(ctx)
    token = token_in_use(url)
    user = _read_user(logged_in(ctx))
    if as_json:
        print_json({"url": url, "user": user, "token_source": token and token.source})
        return
    account = user or {"username": "unknown: the token has no scope account:read"}
    fields = [(name, account.get(name)) for name in ("username", "email", "role", "id")]
    print_fields(
        [
            *fields,
            ("server", url),
            ("login", f"personal access token ({token.source})" if token else "session"),
        ]
    )
