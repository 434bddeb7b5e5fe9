"""Create the database roles and the schema: `python -m auth_service.commands.provision`. Safe to run again.

Only this command needs an administrator of the database. Run it before the first `migrate`, and after a change of a
role's password.
"""

import argparse

from pydantic_settings import SettingsConfigDict

from auth_service.persistence.schema import APP_ROLE, OWNER_ROLE
from auth_service.settings import COMMAND_VARIABLES, DEFAULT_SCHEMA, AuthSettings
from chassis import logs
from chassis.database.provision import ProvisionSettings, run_provision
from chassis.database.settings import SchemaName
from chassis.settings import load_settings


class AuthProvisionSettings(ProvisionSettings):
    """Settings from AUTH_* variables."""

    model_config = SettingsConfigDict(env_prefix="AUTH_")
    other_variables = AuthSettings.variables() | COMMAND_VARIABLES

    database_schema: SchemaName = DEFAULT_SCHEMA


def main() -> None:
    argparse.ArgumentParser(prog="python -m auth_service.commands.provision", description=__doc__).parse_args()
    settings = load_settings(AuthProvisionSettings)
    logs.configure_logging(settings.log_level, "auth_service")
    run_provision(settings, owner_role=OWNER_ROLE, app_role=APP_ROLE)


if __name__ == "__main__":
    main()
