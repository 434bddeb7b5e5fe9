"""Runs the service: `python -m auth_service`."""

import asyncio
import sys

from auth_service.bootstrap import serving
from auth_service.domain.errors import WrongEncryptionKey
from auth_service.settings import AuthSettings
from chassis import logs
from chassis.settings import load_settings
from chassis.lifecycle import serve_until_signal
from chassis.rpc.server import PortTaken


def main() -> None:
    """Serves until SIGTERM or SIGINT; exits with 1 and one line for what only the operator can mend."""
    settings = load_settings(AuthSettings)
    logs.configure(settings.log_level, "auth_service")
    problems: list[str] = []
    try:
        asyncio.run(serve_until_signal(serving(settings)))
    except* (WrongEncryptionKey, PortTaken) as stopped:
        problems += map(str, leaves(stopped))
    if problems:
        sys.exit("\n".join(problems))


def leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The exceptions in a group and in the groups in it."""
    return [
        leaf
        for error in group.exceptions
        for leaf in (leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]


if __name__ == "__main__":
    main()
