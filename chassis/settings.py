"""Settings of a service: read once from the environment, completely validated before the service starts."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BeforeValidator, IPvAnyNetwork, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.kernel.errors import StartError
from chassis.kernel.suggestions import close_names, did_you_mean
from chassis.secrets_dir import secrets_dir

MAX_PORT = 65535
MISCONFIGURED = 2
"""Exit status of a start that fails because of a setting, as for a wrong command line."""


class Listen(NamedTuple):
    """Address to listen on. Port 0 lets the operating system choose a free port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class CannotListen(StartError):
    """The listen address is in use, or does not belong to this host."""

    def __init__(self, listen: Listen) -> None:
        super().__init__(f"cannot listen on {listen}: in use, or not an address of this machine")


def check_text(text: str) -> None:
    """Raise ValueError for an argument or a variable with bytes that are not UTF-8. Python has surrogates for them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        message = "must be UTF-8 text"
        raise ValueError(message) from None


def _parse_listen(value: object) -> object:
    if not isinstance(value, str):
        return value
    host, colon, port = value.rpartition(":")
    if not (host and colon and port.isdigit() and int(port) <= MAX_PORT):
        message = "must be host:port, such as 127.0.0.1:50051"
        raise ValueError(message)
    return Listen(host.strip("[]"), int(port))


ListenAddress = Annotated[Listen, BeforeValidator(_parse_listen)]

_EXPECTED_REDIS_URL = (
    "must be a Redis URL such as redis://:password@host:6379/0. "
    "In the password, write %2F for /, %23 for #, %3F for ? and %25 for %"
)


def check_redis_url(url: str) -> None:
    """Raise ValueError if a Redis client would misread the URL. The message does not quote it, as a client's would."""
    try:
        parts = urlsplit(url)
        parse_qsl(parts.query, strict_parsing=bool(parts.query))
        is_valid = (
            parts.scheme in {"redis", "rediss"}
            and bool(parts.hostname)
            and parts.port != 0
            and not parts.path.removeprefix("/").strip("0123456789")
            and not parts.fragment
        )
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValueError(_EXPECTED_REDIS_URL)


def _check_secret_redis_url(url: SecretStr) -> SecretStr:
    check_redis_url(url.get_secret_value())
    return url


RedisUrl = Annotated[SecretStr, AfterValidator(_check_secret_redis_url)]


def split_by_commas(value: object) -> object:
    """Return the parts of a list that is separated by commas; a value that is no text as it is."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Networks = Annotated[tuple[IPvAnyNetwork, ...], BeforeValidator(split_by_commas)]
"""Networks, separated by commas."""


class Settings(BaseSettings):
    """Base class of settings classes. Secrets are SecretStr, so that no repr shows them."""

    other_variables: ClassVar[frozenset[str]] = frozenset()
    """Variables with the same prefix that other programs of the service read from the same environment."""
    is_prefix_shared: ClassVar[bool] = False
    """True if foreign programs define variables with the prefix. No name of a variable then counts as misspelt."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
        enable_decoding=False,  # Listen is a tuple, and pydantic would decode host:port as JSON
    )

    @field_validator("*", mode="before")
    @classmethod
    def _check_text(cls, value: object) -> object:
        if isinstance(value, str):
            check_text(value)
        return value

    @classmethod
    def variables(cls) -> frozenset[str]:
        """Return the names of the environment variables of these settings."""
        return frozenset((cls.model_config.get("env_prefix", "") + name).upper() for name in cls.model_fields)


S = TypeVar("S", bound=Settings)


def load_settings(settings: type[S]) -> S:
    """Read the settings from the environment and the secrets directory.

    Print every problem and exit with status 2 if there is one. A variable whose name nearly is that of a setting is a
    problem: it is a misspelt name. A secret may be in a file that is named like its variable, in the directory of
    chassis.secrets_dir. The environment takes precedence.
    """
    folder = secrets_dir()
    if folder:
        _exit_if_any(_unreadable_secrets(settings, folder))
    problems = list(_misspelt_variables(settings, os.environ))
    try:
        loaded = settings(_secrets_dir=folder)  # type: ignore[call-arg] # pydantic's own
    except ValidationError as error:
        problems += _invalid_values(settings, error)
    _exit_if_any(problems)
    return loaded


def _exit_if_any(problems: Iterable[str]) -> None:
    if lines := [f"{problem}\n" for problem in problems]:
        sys.stderr.writelines(lines)
        raise SystemExit(MISCONFIGURED)


def _unreadable_secrets(settings: type[Settings], folder: Path) -> Iterator[str]:
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        yield f"SECRETS_DIR: can't read {folder}: {error.strerror}"
        return
    for file in files:
        if file.name.upper() in settings.variables() and file.is_file():
            try:
                file.read_text(encoding="utf-8")
            except OSError as error:
                yield f"{file.name.upper()}: can't read {file}: {error.strerror}"
            except UnicodeDecodeError:
                yield f"{file.name.upper()}: {file} must be UTF-8 text"


def _misspelt_variables(settings: type[Settings], environment: Iterable[str]) -> Iterator[str]:
    if settings.is_prefix_shared:
        return
    prefix = settings.model_config.get("env_prefix", "")
    known = {name.removeprefix(prefix) for name in settings.variables() | settings.other_variables}
    ours = {name.removeprefix(prefix) for name in environment if name.startswith(prefix)}
    for name in sorted(ours - known):
        # A name that resembles none belongs to somebody else: people export AUTH_TARGET for their own commands.
        if closest := close_names(name, known):
            yield f"{prefix}{name}: unknown setting.{did_you_mean([prefix + closest[0]])}"


def _invalid_values(settings: type[Settings], error: ValidationError) -> Iterator[str]:
    prefix = settings.model_config.get("env_prefix", "")
    for problem in error.errors(include_input=False, include_url=False):
        # A model validator reports no location: the prefix alone then names the settings.
        # A number in the location is an index in a list and no part of the name.
        name = (prefix + "_".join(part for part in problem["loc"] if isinstance(part, str))).upper().rstrip("_")
        yield f"{name}: {problem['msg'].removeprefix('Value error, ')}"  # pydantic's words before ours
