"""Errors of the database in an operator's command, reported as one line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from chassis.kernel.errors import Unavailable


@contextmanager
def exit_on_database_error(variable: str, *, role: str) -> Iterator[None]:
    """Exit with status 1 and one line if the database does not respond, or its URL has another role than `role`.

    `variable` is the setting with the URL.
    """
    try:
        yield
    except (psycopg.OperationalError, Unavailable):
        sys.exit(f"Can't connect to the database of {variable}. Check the URL and Postgres.")
    except psycopg.errors.UndefinedTable:
        sys.exit(f"The role of {variable} does not find the tables. Run provision and migrate first.")
    except psycopg.errors.InsufficientPrivilege:
        sys.exit(f"Nothing was changed: {variable} must name the role {role}.")
