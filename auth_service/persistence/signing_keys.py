"""Signing keys, in signing_keys. Private keys are encrypted before they reach this module."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, insert, select, update

from auth_service.domain.signing_keys import SigningKey
from auth_service.persistence.tables import signing_keys
from chassis.database.connection import Connection
from chassis.database.statement import Statement

_ADD = Statement(insert(signing_keys))
_LIST_ALL = Statement(
    select(
        signing_keys.c.kid,
        signing_keys.c.public_key,
        signing_keys.c.encrypted_private_key,
        signing_keys.c.created_at,
        signing_keys.c.activates_at,
        signing_keys.c.retires_at,
    ).order_by(signing_keys.c.activates_at.desc(), signing_keys.c.kid)
)
_RETIRE = Statement(
    update(signing_keys).values(retires_at=bindparam("retirement")).where(signing_keys.c.kid == bindparam("key_kid")),
    columns=["retires_at"],
)


class SqlSigningKeys:
    """Signing keys on one connection. There is one key, and two during a rotation."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list_all(self) -> Sequence[SigningKey]:
        cursor = await _LIST_ALL.run(self._connection)
        return [SigningKey(*row) for row in await cursor.fetchall()]

    async def add(self, key: SigningKey) -> None:
        await _ADD.execute(
            self._connection,
            kid=key.kid,
            public_key=key.public_key,
            encrypted_private_key=key.encrypted_private_key,
            created_at=key.created_at,
            activates_at=key.activates_at,
            retires_at=key.retires_at,
        )

    async def retire(self, kid: str, *, retires_at: datetime) -> None:
        await _RETIRE.execute(self._connection, key_kid=kid, retirement=retires_at)
