"""Makes an admin: `python -m auth_service.commands.create_admin --username ada --email ada@example.com`.

The password comes from AUTH_ADMIN_PASSWORD, or is asked for.
"""

import argparse
import getpass

import structlog
from pydantic import SecretStr

from auth_service.commands.running import run
from auth_service.domain.accounts import Registration
from auth_service.settings import AuthSettings
from chassis.settings import load_settings
from task_service.access import Role

log = structlog.get_logger("create_admin")


class CreateAdminSettings(AuthSettings):
    """The service's own settings, and the new admin's password."""

    admin_password: SecretStr | None = None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m auth_service.commands.create_admin", description=__doc__)
    parser.add_argument("--username", required=True)
    parser.add_argument("--email", required=True)
    arguments = parser.parse_args()
    settings = load_settings(CreateAdminSettings)
    given = settings.admin_password
    registration = Registration(
        username=arguments.username,
        email=arguments.email,
        password=given.get_secret_value() if given else getpass.getpass("Password of the new admin: "),
        role=Role.ADMIN.value,
    )
    user = run(settings, lambda use_cases: use_cases.create_admin(registration))
    log.info("admin made", user_id=str(user.id) if user else None)


if __name__ == "__main__":
    main()
