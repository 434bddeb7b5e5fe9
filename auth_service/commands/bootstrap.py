"""Create the signing key, service accounts and first admin of an installation. Safe to run again.

Run it as `python -m auth_service.commands.bootstrap`. Its input comes from environment variables, because every user of
a machine can read the arguments of a process.
"""

import argparse
import json
from typing import Annotated, Self

import structlog
from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, model_validator

from auth_service.commands.runner import run
from auth_service.domain.accounts import Registration
from auth_service.domain.roles import Role
from auth_service.domain.service_accounts import ServiceCredential
from auth_service.settings import AuthSettings
from auth_service.usecases.use_cases import UseCases
from chassis.kernel.errors import Invalid
from chassis.settings import load_settings

log = structlog.get_logger("bootstrap")


class ServiceEntry(BaseModel):
    """Entry of AUTH_BOOTSTRAP_SERVICES."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str
    scopes: tuple[str, ...]
    credential: SecretStr

    @property
    def parsed_credential(self) -> ServiceCredential:
        return ServiceCredential.parse(self.credential.get_secret_value())

    @model_validator(mode="after")
    def _check_credential(self) -> Self:
        try:
            credential = self.parsed_credential
        except Invalid as error:
            raise ValueError(error.message) from None
        if credential.name != self.name:
            message = "the credential has another name than the service"
            raise ValueError(message)
        return self


def _parse_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        # The parser's own message would quote its input, which holds secrets.
        message = "must be a JSON list of objects with name, scopes and credential"
        raise ValueError(message) from None


class BootstrapSettings(AuthSettings):
    """Settings of the service, and the accounts to create."""

    bootstrap_admin_username: str = ""
    bootstrap_admin_email: str = ""
    bootstrap_admin_password: SecretStr = SecretStr("")
    bootstrap_services: Annotated[tuple[ServiceEntry, ...], BeforeValidator(_parse_json)] = ()

    @property
    def admin(self) -> Registration | None:
        """Registration of the first admin; None if no admin setting is given."""
        admin = Registration(
            username=self.bootstrap_admin_username,
            email=self.bootstrap_admin_email,
            password=self.bootstrap_admin_password.get_secret_value(),
            role=Role.ADMIN.value,
        )
        return admin if admin.username or admin.email or admin.password else None


async def bootstrap(settings: BootstrapSettings, use_cases: UseCases) -> None:
    """Create what is missing. Update service accounts to their entries, and leave everything else unchanged."""
    key = await use_cases.operators.ensure_signing_key()
    log.info("signing key exists", kid=key.kid)
    for service in settings.bootstrap_services:
        account = await use_cases.operators.ensure_service_account(service.parsed_credential, service.scopes)
        log.info("service account exists", name=account.name, scopes=sorted(account.scopes))
    if settings.admin is not None:
        admin = await use_cases.operators.create_admin(settings.admin, only_if_none=True)
        if admin is None:
            log.info("admin exists")
        else:
            log.info("admin created", user_id=str(admin.id))


def main() -> None:
    argparse.ArgumentParser(prog="python -m auth_service.commands.bootstrap", description=__doc__).parse_args()
    settings = load_settings(BootstrapSettings)
    run(settings, lambda use_cases: bootstrap(settings, use_cases))


if __name__ == "__main__":
    main()
