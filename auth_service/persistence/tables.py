"""Tables of schema `auth`, as queries use them. The migrations define their constraints and grants."""

from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    Column,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import UserDefinedType


class TransactionId(UserDefinedType[str]):
    """Column type xid8: a 64-bit transaction id, which never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


metadata = MetaData()

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("username", Text),
    Column("username_key", Text),  # unique: domain.accounts.lookup_key
    Column("email", Text),
    Column("email_key", Text),
    Column("password_hash", Text),
    Column("role", Text),
    Column("disabled", Boolean),
    Column("epoch", BigInteger),
    Column("created_at", TIMESTAMP(timezone=True)),
    Column("deleted_at", TIMESTAMP(timezone=True)),
)

password_resets = Table(
    "password_resets",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("digest", LargeBinary),
    Column("expires_at", TIMESTAMP(timezone=True)),
    Column("issuer_id", Uuid),
    Column("issuer_epoch", BigInteger),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid),
    Column("created_at", TIMESTAMP(timezone=True)),
    Column("expires_at", TIMESTAMP(timezone=True)),
    Column("used_at", TIMESTAMP(timezone=True)),
    Column("ended_at", TIMESTAMP(timezone=True)),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("session_id", Uuid),
    Column("expires_at", TIMESTAMP(timezone=True)),
    Column("spent_at", TIMESTAMP(timezone=True)),
)

personal_tokens = Table(
    "personal_tokens",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid),
    Column("name", Text),
    Column("scopes", ARRAY(Text)),
    Column("digest", LargeBinary),
    Column("created_at", TIMESTAMP(timezone=True)),
    Column("expires_at", TIMESTAMP(timezone=True)),
    Column("last_used_at", TIMESTAMP(timezone=True)),
    Column("ended_at", TIMESTAMP(timezone=True)),
)

login_attempts = Table(
    "login_attempts",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("theoretical_arrival_at", TIMESTAMP(timezone=True)),
    Column("logged_at", TIMESTAMP(timezone=True)),
)

service_accounts = Table(
    "service_accounts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text),
    Column("scopes", ARRAY(Text)),
    Column("secret_digest", LargeBinary),
    Column("disabled", Boolean),
    Column("created_at", TIMESTAMP(timezone=True)),
    Column("epoch", BigInteger),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("public_key", LargeBinary),
    Column("encrypted_private_key", LargeBinary),
    Column("created_at", TIMESTAMP(timezone=True)),
    Column("activates_at", TIMESTAMP(timezone=True)),
    Column("retires_at", TIMESTAMP(timezone=True)),
)

# A row revokes either a session, or the tokens of an account below an epoch. The column of the epoch keeps its name:
# renaming it takes two releases.
revocations = Table(
    "revocations",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("transaction", TransactionId),
    Column("session_id", Uuid),
    Column("user_id", Uuid),
    Column("least_epoch", BigInteger, key="min_epoch"),
    Column("expires_at", TIMESTAMP(timezone=True)),
)

security_events = Table(
    "security_events",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("occurred_at", TIMESTAMP(timezone=True)),
    Column("kind", Text),
    Column("actor_id", Uuid),
    Column("subject_id", Uuid),
    Column("request_id", Text),
    Column("details", JSONB),
)
