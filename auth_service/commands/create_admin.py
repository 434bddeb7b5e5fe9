"""Create an admin: `python -m auth_service.commands.create_admin --username ada --email ada@example.com`.

The password is read from AUTH_ADMIN_PASSWORD, or from the terminal.
"""

import argparse
import getpass
import warnings

import structlog
from pydantic import SecretStr

from auth_service.commands.runner import run
from auth_service.domain.accounts import Registration
from auth_service.domain.roles import Role
from auth_service.settings import AuthSettings
from chassis.settings import load_settings

log = structlog.get_logger("create_admin")


class CreateAdminSettings(AuthSettings):
    """Settings of the service, and the password of the new admin."""

    admin_password: SecretStr | None = None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m auth_service.commands.create_admin", description=__doc__)
    parser.add_argument("--username", required=True)
    parser.add_argument("--email", required=True)
    arguments = parser.parse_args()
    settings = load_settings(CreateAdminSettings)
    password = settings.admin_password.get_secret_value() if settings.admin_password else _ask_password()
    if not password:
        parser.error("Set AUTH_ADMIN_PASSWORD, or run it in a terminal.")
    registration = Registration(
        username=arguments.username,
        email=arguments.email,
        password=password,
        role=Role.ADMIN.value,
    )
    user = run(settings, lambda use_cases: use_cases.operators.create_admin(registration))
    log.info("admin created", user_id=str(user.id) if user else None)


def _ask_password() -> str:
    """Return the password that is typed at the terminal, empty if there is no terminal."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # without a terminal, the password would be shown
        try:
            return getpass.getpass("Password of the new admin: ")
        except (getpass.GetPassWarning, EOFError):
            return ""


if __name__ == "__main__":
    main()
