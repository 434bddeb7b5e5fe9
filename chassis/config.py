"""Settings: one class a service, read once from the environment, wholly checked before anything starts."""

import sys
from typing import Annotated, NamedTuple, NoReturn, TypeVar

from pydantic import BeforeValidator, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.secrets_dir import secrets_dir


class Listen(NamedTuple):
    """An address to listen on. Port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _parse_listen(value: object) -> object:
    if not isinstance(value, str):
        return value
    host, colon, port = value.rpartition(":")
    if not (host and colon and port.isdigit() and int(port) <= 65535):  # noqa: PLR2004 - the last TCP port
        message = "must be host:port, such as 127.0.0.1:50051"
        raise ValueError(message)
    return Listen(host.strip("[]"), int(port))


ListenAddress = Annotated[Listen, BeforeValidator(_parse_listen)]


class Settings(BaseSettings):
    """What a service's settings class begins from. Secrets are SecretStr, so that no repr shows them."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
        enable_decoding=False,  # by itself it would read host:port as JSON, for Listen is a tuple
    )


S = TypeVar("S", bound=Settings)


def load(settings: type[S]) -> S:
    """Reads the environment and the folder of secrets; on any problem prints all of them and exits with status 2.

    A secret may lie in a file named like the variable, in the folder of chassis.secret_files. The environment wins.
    """
    try:
        return settings(_secrets_dir=secrets_dir())  # type: ignore[call-arg] # pydantic's own
    except ValidationError as error:
        _exit_with(settings, error)


def _exit_with(settings: type[Settings], error: ValidationError) -> NoReturn:
    prefix = settings.model_config.get("env_prefix", "")
    for problem in error.errors(include_input=False, include_url=False):
        # A problem of the whole (a model validator) has no place: then the prefix alone says whose it is.
        name = (prefix + "_".join(str(part) for part in problem["loc"])).upper().rstrip("_")
        sys.stderr.write(f"{name}: {problem['msg']}\n")
    raise SystemExit(2)
