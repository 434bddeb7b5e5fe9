"""Settings of the service, read from environment variables AUTH_..."""

import base64
import binascii
import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, SecretStr
from pydantic_settings import SettingsConfigDict

from auth_service.domain.access_tokens import AccessTokenPolicy
from auth_service.domain.passwords import PasswordRules
from auth_service.domain.rate_limits import RateLimit
from auth_service.domain.security_events import MIN_RETENTION
from auth_service.domain.sessions import SessionPolicy
from auth_service.domain.unicode_text import nfkc_casefold
from chassis.database.settings import DatabaseSettings, SchemaName
from chassis.rpc.settings import GrpcServiceSettings
from chassis.settings import Listen, ListenAddress, Networks
from chassis.tokens import MAX_LIFETIME_SECONDS

_KEY_BYTES = 32

_OVERALL_BURST_SECONDS = 10
"""Seconds' worth of logins that may arrive at once: many people log in at the same time of day."""


def _check_encryption_key(value: SecretStr) -> SecretStr:
    try:
        decoded = base64.b64decode(value.get_secret_value(), validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) != _KEY_BYTES:
        message = "must be base64 of 32 random bytes, such as `openssl rand -base64 32` prints"
        raise ValueError(message)
    return value


def _check_text_file(path: Path) -> Path:
    try:
        path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"cannot be read: {os.strerror(error.errno or 0)}") from None
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    return path


DEFAULT_SCHEMA = "auth"

COMMAND_VARIABLES = frozenset(
    {
        "AUTH_ADMIN_PASSWORD",
        "AUTH_BOOTSTRAP_ADMIN_EMAIL",
        "AUTH_BOOTSTRAP_ADMIN_PASSWORD",
        "AUTH_BOOTSTRAP_ADMIN_USERNAME",
        "AUTH_BOOTSTRAP_SERVICES",
        "AUTH_OWNER_DATABASE_URL",
        "AUTH_PROVISION_DATABASE_URL",
    }
)
"""Variables of the commands."""


class AuthSettings(DatabaseSettings, GrpcServiceSettings):
    """Settings of auth_service. Only the database and the encryption key have no default."""

    model_config = SettingsConfigDict(env_prefix="AUTH_")
    other_variables = COMMAND_VARIABLES

    listen: ListenAddress = Listen("127.0.0.1", 50051)
    database_schema: SchemaName = DEFAULT_SCHEMA
    database_pool_size: PositiveInt = 10

    key_encryption_key: Annotated[SecretStr, AfterValidator(_check_encryption_key)]
    """Key that encrypts the signing keys in the database. It is not stored there itself."""

    access_token_seconds: int = Field(default=900, ge=1, le=MAX_LIFETIME_SECONDS)
    """Lifetime of an access token. Verifiers reject every token with a longer lifetime than MAX_LIFETIME_SECONDS."""
    key_published_seconds: PositiveInt = 60
    """Time for which a new signing key is published before it signs. It covers many polls of the slowest verifier."""

    login_attempts: PositiveInt = 10
    """Maximum number of password attempts on one account at once."""
    login_attempt_seconds: PositiveFloat = 15.0
    """Time after which one account gets a further attempt."""
    logins_per_second: PositiveInt = 50
    """Limit on the attempts on all accounts together."""

    public_calls_per_minute: PositiveInt = 600
    """Limit on the calls without a token from one client address."""
    trusted_peers: Networks = ()
    """Networks without this limit: gateways limit their own clients. With `internal_listen` there are none."""

    session_seconds: PositiveInt = 30 * 24 * 3600
    """Maximum lifetime of a session, however often it is refreshed."""
    session_idle_seconds: PositiveInt = 7 * 24 * 3600
    """Lifetime of a session without a refresh."""
    reset_code_seconds: PositiveInt = 3600
    """Lifetime of a password reset code."""
    security_event_days: int = Field(default=365, ge=MIN_RETENTION.days)
    """Retention of security events. The database enforces the minimum."""

    password_min_length: int = Field(default=12, ge=1, le=128)
    """Minimum length of a new password.

    NIST SP 800-63B-4 requires 15 for a password as the only factor and 8 beside a second one; ASVS 5.0 requires 8.
    """
    password_blocklist: bool = True
    """True: reject common passwords, the account's own names, and those of the file."""
    password_blocklist_file: Annotated[Path, AfterValidator(_check_text_file)] | None = None
    """Further passwords to reject, one per line: common ones of a leak, and words that users are likely to choose."""

    # OWASP's parameters of argon2id for 19 MiB.
    argon2_memory_kib: int = Field(default=19_456, ge=8)
    """Memory of one password check, which also takes about 40 ms of a core."""
    argon2_time_cost: PositiveInt = 2
    argon2_parallelism: PositiveInt = 1
    hash_concurrency: PositiveInt = 4
    """Maximum number of concurrent password checks."""
    hash_wait_seconds: PositiveFloat = 3.0
    """Maximum time for which a password check waits for its turn."""

    @property
    def encryption_key(self) -> bytes:
        """Encryption key of the signing keys, 32 bytes."""
        return base64.b64decode(self.key_encryption_key.get_secret_value())

    @property
    def password_rules(self) -> PasswordRules:
        """Rules for new passwords. Reads the blocklist file."""
        file = self.password_blocklist_file
        blocked_passwords = file.read_text(encoding="utf-8").splitlines() if file else []
        return PasswordRules(
            min_characters=self.password_min_length,
            use_blocklist=self.password_blocklist,
            blocklist=frozenset(map(nfkc_casefold, blocked_passwords)),
        )

    @property
    def access_token_policy(self) -> AccessTokenPolicy:
        return AccessTokenPolicy(
            issuer=self.token_issuer,
            audience=self.token_audience,
            lifetime=timedelta(seconds=self.access_token_seconds),
        )

    @property
    def session_policy(self) -> SessionPolicy:
        return SessionPolicy(
            lifetime=timedelta(seconds=self.session_seconds),
            idle_timeout=timedelta(seconds=self.session_idle_seconds),
        )

    @property
    def max_hashes_per_account(self) -> int:
        """Maximum number of concurrent password checks of one account: half of all."""
        return max(self.hash_concurrency // 2, 1)

    @property
    def account_login_limit(self) -> RateLimit:
        """Limit on password attempts for one account."""
        return RateLimit(burst=self.login_attempts, interval=timedelta(seconds=self.login_attempt_seconds))

    @property
    def overall_login_limit(self) -> RateLimit:
        """Limit on password attempts for all accounts together."""
        return RateLimit(
            burst=self.logins_per_second * _OVERALL_BURST_SECONDS,
            interval=timedelta(seconds=1) / self.logins_per_second,
        )

    @property
    def key_publication_time(self) -> timedelta:
        return timedelta(seconds=self.key_published_seconds)

    @property
    def reset_code_lifetime(self) -> timedelta:
        return timedelta(seconds=self.reset_code_seconds)

    @property
    def security_event_retention(self) -> timedelta:
        return timedelta(days=self.security_event_days)
