"""Accounts of services, in auth.service_accounts."""

from sqlalchemy import bindparam, insert, select, update

from auth_service.domain.errors import ServiceNameTaken
from auth_service.domain.service_accounts import Scope, ServiceAccount
from auth_service.persistence.tables import service_accounts
from chassis.database.pool import Connection
from chassis.database.statement import Statement
from chassis.database.unit_of_work import constraints

_COLUMNS = (
    service_accounts.c.id,
    service_accounts.c.name,
    service_accounts.c.scopes,
    service_accounts.c.secret_digest,
    service_accounts.c.created_at,
    service_accounts.c.disabled,
)

_ADD = Statement(insert(service_accounts))
_GET = Statement(select(*_COLUMNS).where(service_accounts.c.name == bindparam("name")))
_UPDATE = Statement(
    update(service_accounts)
    .values(scopes=bindparam("scopes"), secret_digest=bindparam("secret_digest"))
    .where(service_accounts.c.id == bindparam("account_id"))
)


class SqlServiceAccounts:
    """Service accounts on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, account: ServiceAccount) -> None:
        with constraints({"service_accounts_name_unique": ServiceNameTaken}):
            await self._connection.execute(
                _ADD.sql,
                {
                    "id": account.id,
                    "name": account.name,
                    "scopes": sorted(account.scopes),
                    "secret_digest": account.secret_digest,
                    "disabled": account.disabled,
                    "created_at": account.created_at,
                },
            )

    async def get(self, name: str) -> ServiceAccount | None:
        cursor = await self._connection.execute(_GET.sql, {"name": name})
        row = await cursor.fetchone()
        if row is None:
            return None
        account_id, known_name, scopes, digest, created_at, disabled = row
        # A scope that this version does not know, written by a newer one, allows nothing here.
        known_scopes = frozenset(scope for scope in Scope if scope.value in scopes)
        return ServiceAccount(account_id, known_name, known_scopes, digest, created_at, disabled)

    async def update(self, account: ServiceAccount) -> None:
        await self._connection.execute(
            _UPDATE.sql,
            {
                "account_id": account.id,
                "scopes": sorted(account.scopes),
                "secret_digest": account.secret_digest,
            },
        )
