"""Commands for the session: login, logout, whoami."""

import sys
from typing import Annotated

import typer

from taskmanager_cli.client import Client
from taskmanager_cli.commands.options import Json, logged_in, session_store, url_of
from taskmanager_cli.config import normalize_url, sends_in_clear, store_url
from taskmanager_cli.errors import CliError, ConnectionLost, NotLoggedIn, Refused, ServerUnreachable
from taskmanager_cli.output import note, print_fields, print_json
from taskmanager_cli.sessions import Session


def login(
    ctx: typer.Context,
    email: Annotated[str, typer.Option("--email", "-e", help="Email of the account. Default: asked.")] = "",
    url: Annotated[str, typer.Option("--url", help="Address of the server, as before the command.")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Log in and keep the session, in the keyring or in a file that only you can read."""
    try:
        server = normalize_url(url) if url else url_of(ctx)
    except ValueError:
        raise typer.BadParameter("not an address such as https://tasks.example.com", param_hint="--url") from None
    if sends_in_clear(server):
        note(f"Warning: {server} has no TLS, so others on the network can read your password.")
    if not sys.stdin.isatty() and not (email and password_stdin):
        raise typer.BadParameter("Nobody can be asked here. Use --email and --password-stdin.")
    email = email or typer.prompt("Email", err=True)
    password = (
        sys.stdin.readline().rstrip("\r\n") if password_stdin else typer.prompt("Password", hide_input=True, err=True)
    )
    with Client(server) as client:
        response = client.post("/api/v1/login", json={"email": email, "password": password})
    session_store().save(Session.from_login(server, email, response))
    store_url(server)
    note(f"Logged in at {server} as {response['user']['username']}.")
    if as_json:
        print_json({"url": server, "user": response["user"]})


def logout(ctx: typer.Context, as_json: Json = False) -> None:
    """End the session at the server and delete it here."""
    url = url_of(ctx)
    ended = True
    try:
        with logged_in(ctx) as client:
            client.post("/api/v1/logout", json={})
    except NotLoggedIn:
        ended = False
        note(f"You are not logged in at {url}.")
    except (Refused, ServerUnreachable, ConnectionLost) as error:
        ended = False
        note(f"Warning: the session may go on at the server until it expires: {error}")
    except CliError:
        ended = False
    session_store().delete(url)
    if ended:
        note(f"Logged out at {url}.")
    if as_json:
        print_json({"url": url, "ended": ended})


def whoami(ctx: typer.Context, as_json: Json = False) -> None:
    """Show the account that is logged in."""
    with logged_in(ctx) as client:
        user = client.get("/api/v1/me")
        if as_json:
            print_json({"url": client.url, "user": user})
            return
        print_fields(
            [
                ("username", user["username"]),
                ("email", user["email"]),
                ("role", user["role"]),
                ("id", user["id"]),
                ("server", client.url),
            ]
        )
