"""Turn a switch of the service on or off: `python -m auth_service.commands.switch`.

Every process of the service reads the switches once a second. Transactions that have begun are still committed.
"""

from pydantic_settings import SettingsConfigDict

from auth_service.persistence.schema import OWNER_ROLE
from auth_service.settings import COMMAND_VARIABLES, DEFAULT_SCHEMA, AuthSettings
from auth_service.switches import SWITCHES
from chassis.database.settings import SchemaName
from chassis.database.switch_command import SwitchSettings, run_switch_command


class AuthSwitchSettings(SwitchSettings):
    """Settings from AUTH_* variables."""

    model_config = SettingsConfigDict(env_prefix="AUTH_")
    other_variables = AuthSettings.variables() | COMMAND_VARIABLES

    database_schema: SchemaName = DEFAULT_SCHEMA


def main() -> None:
    run_switch_command("auth_service", AuthSwitchSettings, owner_role=OWNER_ROLE, names=SWITCHES)


if __name__ == "__main__":
    main()
