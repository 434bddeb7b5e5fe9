"""Running a use case from a command, and reporting its errors."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from auth_service.bootstrap import open_use_cases
from auth_service.domain.errors import WrongEncryptionKey
from auth_service.persistence.schema import APP_ROLE
from auth_service.settings import AuthSettings
from auth_service.usecases.use_cases import UseCases
from chassis import logs
from chassis.database.command_errors import exit_on_database_error
from chassis.kernel.errors import DomainError, Invalid

Result = TypeVar("Result")


def run(settings: AuthSettings, command: Callable[[UseCases], Awaitable[Result]]) -> Result:
    """Return the result of the command. On an error, print one line per problem to stderr and exit with status 1."""
    logs.configure_logging(settings.log_level, "auth_service")
    try:
        with exit_on_database_error("AUTH_DATABASE_URL", role=APP_ROLE):
            return asyncio.run(_run(settings, command))
    except Invalid as error:
        sys.exit("\n".join(f"{violation.field}: {violation.message}" for violation in error.violations))
    except DomainError as error:
        sys.exit(error.message)
    except WrongEncryptionKey as error:
        sys.exit(str(error))


async def _run(settings: AuthSettings, command: Callable[[UseCases], Awaitable[Result]]) -> Result:
    async with open_use_cases(settings) as use_cases:
        return await command(use_cases)
