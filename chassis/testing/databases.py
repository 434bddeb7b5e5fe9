"""Databases for tests: one is migrated, and each test gets a clone of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg import sql

PASSWORD = "test"  # noqa: S105 - of roles in a database that lives as long as the test


def with_parts(url: str, *, database: str | None = None, role: str | None = None) -> str:
    """The URL of another database, or as another role with the tests' password."""
    parts = urlsplit(url)
    netloc = parts.netloc
    if role is not None:
        netloc = f"{quote(role)}:{PASSWORD}@{netloc.rpartition('@')[2]}"
    return urlunsplit(parts._replace(netloc=netloc, path=f"/{database}" if database else parts.path))


@contextmanager
def temporary_database(administrator_url: str, *, template: str = "template1") -> Iterator[str]:
    """A new database, cloned from a template, and dropped in the end; yields an administrator's URL to it."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        try:
            yield with_parts(administrator_url, database=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
