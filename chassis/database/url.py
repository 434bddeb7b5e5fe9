"""Postgres URLs in settings, checked before libpq reads them: its errors quote the URL, which holds a password."""

from typing import Annotated

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, SecretStr

_EXPECTED = (
    "must be a Postgres URL such as postgresql://role:password@host:5432/database. "
    "In the password, write %40 for @, %2F for /, %3A for : and %25 for %"
)


def check_postgres_url(url: str) -> None:
    """Raise ValueError if libpq would misread the URL. The message does not quote it."""
    try:
        parts = conninfo_to_dict(url) if url.startswith(("postgresql://", "postgres://")) else None
    except psycopg.ProgrammingError:
        parts = None
    if parts is None:
        raise ValueError(_EXPECTED)
    names = f"{parts.get('host', '')} {parts.get('dbname', '')}"
    ports = str(parts.get("port", "")).split(",")
    # A special character in the password ends it early, and the rest becomes part of the host, port or database.
    if "@" in names or not all(port.isdecimal() for port in ports if port):
        raise ValueError(_EXPECTED)


def _check(url: SecretStr) -> SecretStr:
    check_postgres_url(url.get_secret_value())
    return url


PostgresUrl = Annotated[SecretStr, AfterValidator(_check)]
