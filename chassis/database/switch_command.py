"""Operator's command that turns a switch on or off, and prints the state of all switches."""

import argparse
import sys
from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from chassis.database.command_errors import exit_on_database_error
from chassis.database.connection import SOCKET_OPTIONS
from chassis.database.settings import SchemaName
from chassis.database.url import PostgresUrl
from chassis.settings import Settings, load_settings

MAX_REASON_CHARACTERS = 200


class SwitchSettings(Settings):
    """Settings of the command. A service's subclass adds its prefix and the default of the schema."""

    owner_database_url: PostgresUrl
    """Postgres URL of the role that owns the schema. No other role can turn switches."""
    database_schema: SchemaName


def parse_switch_arguments(service: str, names: Mapping[str, str]) -> argparse.Namespace:
    """Parse the command line. `names` are the switches of the service, with their effects."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {service}.commands.switch",
        description="Turn a switch on or off. Without arguments, print all switches.",
        epilog="\n".join(f"{name}: {effect}" for name, effect in names.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", choices=list(names), help="switch")
    parser.add_argument("state", nargs="?", choices=["on", "off"], help="new state")
    parser.add_argument("--reason", type=_reason, help="reason for callers, required with `on`: one short sentence")
    arguments = parser.parse_args()
    if arguments.name and not arguments.state:
        parser.error("on or off is missing")
    if (arguments.state == "on") != bool(arguments.reason):
        parser.error("`on` needs --reason, and only `on` takes it")
    return arguments


def _reason(text: str) -> str:
    reason = text.strip()
    if not reason or len(reason) > MAX_REASON_CHARACTERS or not reason.isprintable():
        message = f"use one line of 1 to {MAX_REASON_CHARACTERS} printable characters"
        raise argparse.ArgumentTypeError(message)
    return reason


def run_switch_command(
    service: str, settings_class: type[SwitchSettings], *, owner_role: str, names: Mapping[str, str]
) -> None:
    """Run the command. `names` are the switches of the service, with their effects."""
    arguments = parse_switch_arguments(service, names)
    settings = load_settings(settings_class)
    variable = f"{settings.model_config.get('env_prefix', '')}OWNER_DATABASE_URL"
    with exit_on_database_error(variable, role=owner_role):
        lines = _turn(settings.owner_database_url.get_secret_value(), settings.database_schema, names, arguments)
    sys.stdout.write("\n".join(lines) + "\n")


def _turn(url: str, schema: str, names: Mapping[str, str], arguments: argparse.Namespace) -> Sequence[str]:
    table = sql.Identifier(schema, "operator_switches")
    with psycopg.connect(url, **SOCKET_OPTIONS) as connection:
        if arguments.state == "on":
            connection.execute(
                sql.SQL(
                    "INSERT INTO {} (name, reason) VALUES (%s, %s)"
                    " ON CONFLICT (name) DO UPDATE SET reason = excluded.reason"
                ).format(table),
                [arguments.name, arguments.reason],
            )
        elif arguments.state == "off":
            connection.execute(sql.SQL("DELETE FROM {} WHERE name = %s").format(table), [arguments.name])
        rows = connection.execute(sql.SQL("SELECT name, reason, since FROM {}").format(table)).fetchall()
    switched_on = {name: f"on since {since:%Y-%m-%d %H:%M:%S %Z}: {reason}" for name, reason, since in rows}
    return [f"{name}: {switched_on.get(name, 'off')}" for name in names]
