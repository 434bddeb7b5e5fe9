"""Test databases: one template is migrated, and each test gets a clone of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg import sql

PASSWORD = "test"  # noqa: S105 - of roles in a throwaway database


def derive_url(url: str, *, database: str | None = None, role: str | None = None) -> str:
    """Return the URL of another database on the same server, or of another role with the tests' password."""
    parts = urlsplit(url)
    netloc = parts.netloc
    if role is not None:
        netloc = f"{quote(role)}:{PASSWORD}@{netloc.rpartition('@')[2]}"
    return urlunsplit(parts._replace(netloc=netloc, path=f"/{database}" if database else parts.path))


@contextmanager
def temporary_database(administrator_url: str, *, template: str = "template1") -> Iterator[str]:
    """Clone a database from a template, yield an administrator's URL to it, and drop it at the end."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        try:
            yield derive_url(administrator_url, database=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
