"""Makes what a new installation needs: `python -m auth_service.commands.bootstrap`. Safe to run again.

A signing key, the services' accounts and the first admin, all from the environment: secrets have no place among a
process's arguments, where every user of the machine can read them.
"""

import json
from typing import Annotated, Self

import structlog
from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, model_validator

from auth_service.commands.running import run
from auth_service.domain.accounts import Registration
from auth_service.domain.service_accounts import ServiceCredential
from auth_service.settings import AuthSettings
from auth_service.wiring import UseCases
from chassis.settings import load_settings
from chassis.kernel.errors import Invalid
from task_service.access import Role

log = structlog.get_logger("bootstrap")


class ServiceToEnsure(BaseModel):
    """One entry of AUTH_BOOTSTRAP_SERVICES."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str
    scopes: tuple[str, ...]
    credential: SecretStr

    @property
    def parsed_credential(self) -> ServiceCredential:
        return ServiceCredential.parse(self.credential.get_secret_value())

    @model_validator(mode="after")
    def _credential_is_its_own(self) -> Self:
        try:
            named = self.parsed_credential.name
        except Invalid as error:
            raise ValueError(error.message) from None
        if named != self.name:
            message = "the credential is another service's"
            raise ValueError(message)
        return self


def _parse_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        # The parser's own message would quote what it stumbled over.
        message = "must be JSON: a list of objects with name, scopes and credential"
        raise ValueError(message) from None


class BootstrapSettings(AuthSettings):
    """The service's own settings, and what is to be there."""

    bootstrap_admin_username: str = ""
    bootstrap_admin_email: str = ""
    bootstrap_admin_password: SecretStr = SecretStr("")
    bootstrap_services: Annotated[tuple[ServiceToEnsure, ...], BeforeValidator(_parse_json)] = ()

    @property
    def admin(self) -> Registration | None:
        """The first admin; None where none was asked for."""
        admin = Registration(
            username=self.bootstrap_admin_username,
            email=self.bootstrap_admin_email,
            password=self.bootstrap_admin_password.get_secret_value(),
            role=Role.ADMIN.value,
        )
        return admin if admin.username or admin.email or admin.password else None


async def bootstrap(settings: BootstrapSettings, use_cases: UseCases) -> None:
    """Makes what is missing and leaves what is there."""
    key = await use_cases.ensure_signing_key()
    log.info("signing key is there", kid=key.kid)
    for service in settings.bootstrap_services:
        account = await use_cases.ensure_service_account(service.parsed_credential, service.scopes)
        log.info("service account is there", name=account.name, scopes=sorted(account.scopes))
    if settings.admin is not None:
        admin = await use_cases.create_admin(settings.admin, only_first=True)
        log.info("admin is there", user_id=str(admin.id) if admin else None, made=admin is not None)


def main() -> None:
    settings = load_settings(BootstrapSettings)
    run(settings, lambda use_cases: bootstrap(settings, use_cases))


if __name__ == "__main__":
    main()
