"""Commands for personal access tokens."""

import re
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer

from taskmanager_cli.commands.options import Json, logged_in
from taskmanager_cli.errors import AmbiguousTokenName, ConnectionLost, TokenNotFound
from taskmanager_cli.output import minute_of, note, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke personal access tokens, which scripts use.")

_PATH = "/api/v1/me/tokens"
_DAYS = re.compile(r"([0-9]{1,6})d")


class Scope(StrEnum):
    TASKS_READ = "tasks:read"
    TASKS_WRITE = "tasks:write"
    IMPORTS_WRITE = "imports:write"
    EVENTS_READ = "events:read"
    ACCOUNT_READ = "account:read"


def parse_expiry(text: str, now: datetime) -> datetime:
    """Return the time of "30d", or the end of a day in UTC.

    Raises:
        typer.BadParameter: the text is neither.

    """
    try:
        if days := _DAYS.fullmatch(text):
            return now + timedelta(days=int(days[1]))
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is neither a number of days such as 30d nor a day such as 2026-12-31.", param_hint="--expires"
        ) from None


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Where the token is used, such as nightly-report.")],
    scopes: Annotated[list[Scope], typer.Option("--scope", "-s", help="Calls that it allows. May be repeated.")],
    expires: Annotated[
        str, typer.Option("--expires", metavar="DAYS|DATE", help="30d, or its last day, YYYY-MM-DD. Default: 90d.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Create a token and print it, alone on stdout. The server shows it only this once.

    A script captures it: TASKMANAGER_TOKEN=$(taskmanager token create report --scope tasks:read)
    """
    body: dict[str, Any] = {"name": name, "scopes": [scope.value for scope in scopes]}
    if expires:
        body["expires_at"] = parse_expiry(expires, datetime.now(UTC)).isoformat()
    with logged_in(ctx) as client:
        try:
            created = client.post(_PATH, json=body)
        except ConnectionLost:
            note("The token may exist, but nobody has its secret. See `taskmanager token list`, and revoke it.")
            raise
    end = minute_of(created["expires_at"])
    # The id comes first: if the token can't be printed, its user can still revoke it.
    note(f"Created token {created['id']} ({', '.join(created['scopes'])}), valid until {end} UTC.")
    note("Store it now: it is not shown again. Scripts pass it in TASKMANAGER_TOKEN.")
    if as_json:
        print_json(created)
    else:
        sys.stdout.write(f"{created['token']}\n")
    sys.stdout.flush()


@app.command("list")
def list_tokens(ctx: typer.Context, as_json: Json = False) -> None:
    """List your tokens that have not ended, newest first."""
    with logged_in(ctx) as client:
        found = list(client.items(_PATH, "tokens"))
    if as_json:
        print_json(found)
        return
    if not found:
        note("You have no tokens. Create one with `taskmanager token create NAME --scope tasks:read`.")
        return
    rows = (
        (
            token["id"],
            token["name"],
            ", ".join(token["scopes"]),
            minute_of(token["expires_at"]),
            minute_of(token["last_used_at"]) if token["last_used_at"] else "never",
        )
        for token in found
    )
    columns = ("id", "name", "scopes", "expires (UTC)", "last used (UTC)")
    print_table("", columns, rows, whole=("id",))


@app.command()
def revoke(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ID_OR_NAME", help="Id or name, as the list shows them.")],
    as_json: Json = False,
) -> None:
    """End a token for good. Calls by it are refused within seconds."""
    with logged_in(ctx) as client:
        token = _select(list(client.items(_PATH, "tokens")), name)
        client.delete(f"{_PATH}/{token['id']}")
    note(f"Revoked token {token['id']} ({token['name']}).")
    if as_json:
        print_json({"revoked": token})


def _select(tokens: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the token with this id, else the only one with this name."""
    found = [token for token in tokens if token["id"] == name] or [token for token in tokens if token["name"] == name]
    if not found:
        raise TokenNotFound(name=name)
    if len(found) > 1:
        raise AmbiguousTokenName(name=name, ids=", ".join(token["id"] for token in found))
    return found[0]
