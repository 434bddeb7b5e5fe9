"""What the operator chooses, from the environment: AUTH_..."""

import base64
import binascii
import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork, PositiveFloat, PositiveInt, SecretStr
from pydantic_settings import SettingsConfigDict

from auth_service.domain.events import KEPT_AT_LEAST
from chassis.settings import Listen
from chassis.settings import ListenAddress
from chassis.logs import LogLevel
from chassis.limits.load_shed import DEFAULT_CAPACITY
from chassis.tls.settings import TlsSettings
from chassis.tokens import MAX_LIFETIME_SECONDS

_KEY_BYTES = 32


def _is_key(value: SecretStr) -> SecretStr:
    try:
        decoded = base64.b64decode(value.get_secret_value(), validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) != _KEY_BYTES:
        message = "must be base64 of 32 random bytes, such as `openssl rand -base64 32` prints"
        raise ValueError(message)
    return value


def _is_text(path: Path) -> Path:
    try:
        path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"can't be read: {os.strerror(error.errno or 0)}") from None
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    return path


def _by_commas(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class AuthSettings(TlsSettings):
    """Everything auth_service can be told. Only the database and the encryption key have no default."""

    model_config = SettingsConfigDict(env_prefix="AUTH_")

    listen: ListenAddress = Listen("127.0.0.1", 50051)
    metrics_listen: ListenAddress | None = None
    log_level: LogLevel = "info"
    reflection: bool = False
    drain_seconds: PositiveFloat = 10.0
    # Calls that are answered at the same time; further ones are told at once to come back.
    max_concurrent_calls: PositiveInt = DEFAULT_CAPACITY.calls

    database_url: SecretStr
    database_pool_size: PositiveInt = 10

    # Signing keys lie in the database encrypted under this one, which does not.
    key_encryption_key: Annotated[SecretStr, AfterValidator(_is_key)]

    token_issuer: str = Field(default="taskmanager", min_length=1)
    token_audience: str = Field(default="taskmanager", min_length=1)
    # Verifiers believe no token that lives longer than MAX_LIFETIME_SECONDS.
    access_token_seconds: int = Field(default=900, ge=1, le=MAX_LIFETIME_SECONDS)

    # How long a new signing key is known to everybody before it signs: many polls of the slowest verifier.
    key_published_seconds: PositiveInt = 60

    # Attempts at one account's password: so many at once, then one in each so many seconds; and all accounts together.
    login_attempts: PositiveInt = 10
    login_attempt_seconds: PositiveFloat = 15.0
    logins_per_second: PositiveInt = 50

    # Calls without a token that one address may make here. Trusted peers, the gateways, limit by themselves.
    public_calls_per_minute: PositiveInt = 600
    trusted_peers: Annotated[tuple[IPvAnyNetwork, ...], BeforeValidator(_by_commas)] = ()

    # However often it is refreshed, a session ends after the first; sooner where it is not refreshed for the second.
    session_seconds: PositiveInt = 30 * 24 * 3600
    session_idle_seconds: PositiveInt = 7 * 24 * 3600

    # How long a code that an admin handed out sets a new password.
    reset_code_seconds: PositiveInt = 3600

    # How long the log of security events reaches back; the database keeps the least by itself.
    security_event_days: int = Field(default=365, ge=KEPT_AT_LEAST.days)

    # NIST SP 800-63B-4 asks for 15 where a password is all there is and 8 beside a second factor; ASVS 5.0 for 8.
    password_min_length: int = Field(default=12, ge=1, le=128)
    password_blocklist: bool = True
    # Further passwords, one a line: the commonest of some leak, and what people here would think of first.
    password_blocklist_file: Annotated[Path, AfterValidator(_is_text)] | None = None

    # argon2id as OWASP has it for its 19 MiB: each check takes this much memory and some 40 ms of a core.
    argon2_memory_kib: int = Field(default=19_456, ge=8)
    argon2_time_cost: PositiveInt = 2
    argon2_parallelism: PositiveInt = 1
    hash_concurrency: PositiveInt = 4
    hash_wait_seconds: PositiveFloat = 3.0

    @property
    def blocked_passwords(self) -> list[str]:
        """The lines of the blocklist file, as they stand there."""
        file = self.password_blocklist_file
        return file.read_text(encoding="utf-8").splitlines() if file else []

    @property
    def encryption_key(self) -> bytes:
        """The 32 bytes."""
        return base64.b64decode(self.key_encryption_key.get_secret_value())
