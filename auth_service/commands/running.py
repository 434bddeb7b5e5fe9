"""How every command meets the use cases and tells what went wrong."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg

from auth_service.bootstrap import assembled
from auth_service.domain.errors import WrongEncryptionKey
from auth_service.settings import AuthSettings
from auth_service.wiring import UseCases
from chassis import logs
from chassis.kernel.errors import DomainError
from chassis.kernel.errors import Invalid
from chassis.kernel.errors import Unavailable

Result = TypeVar("Result")


def run(settings: AuthSettings, work: Callable[[UseCases], Awaitable[Result]]) -> Result:
    """What the work returns; what refused it goes to stderr in plain words, with exit status 1."""
    logs.configure(settings.log_level, "auth_service")
    try:
        return asyncio.run(_work(settings, work))
    except Unavailable:
        sys.exit("The database of AUTH_DATABASE_URL does not answer.")
    except psycopg.errors.UndefinedTable:
        sys.exit("The database is not migrated: run `python -m auth_service.commands.migrate` first.")
    except Invalid as error:
        sys.exit("\n".join(f"{violation.field}: {violation.message}" for violation in error.violations))
    except DomainError as error:
        sys.exit(error.message)
    except WrongEncryptionKey as error:
        sys.exit(str(error))


async def _work(settings: AuthSettings, work: Callable[[UseCases], Awaitable[Result]]) -> Result:
    async with assembled(settings) as use_cases:
        return await work(use_cases)
