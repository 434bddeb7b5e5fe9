"""Entry point of the service: `python -m auth_service`."""

import asyncio
import sys

from auth_service.bootstrap import run_server
from auth_service.domain.errors import WrongEncryptionKey
from auth_service.settings import AuthSettings
from chassis import logs
from chassis.lifecycle import serve_until_signal
from chassis.rpc.server import PortTaken
from chassis.settings import load_settings


def main() -> None:
    """Run until SIGTERM or SIGINT. Exit with status 1 and one line for a problem that the operator must fix."""
    settings = load_settings(AuthSettings)
    logs.configure_logging(settings.log_level, "auth_service")
    messages: list[str] = []
    try:
        asyncio.run(serve_until_signal(run_server(settings)))
    except* (WrongEncryptionKey, PortTaken) as group:
        messages += map(str, flatten(group))
    if messages:
        sys.exit("\n".join(messages))


def flatten(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """Return the exceptions in a group and in its nested groups."""
    return [
        exception
        for error in group.exceptions
        for exception in (flatten(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]


if __name__ == "__main__":
    main()
