"""Service accounts, in service_accounts."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update

from auth_service.domain.errors import ServiceNameTaken
from auth_service.domain.service_accounts import Scope, ServiceAccount
from auth_service.persistence.page_query import PageQuery
from auth_service.persistence.tables import service_accounts
from chassis.database.connection import Connection
from chassis.database.statement import Statement
from chassis.database.unit_of_work import translate_constraint_violations
from chassis.kernel.pagination import Page, PageRequest

_COLUMNS = (
    service_accounts.c.id,
    service_accounts.c.name,
    service_accounts.c.scopes,
    service_accounts.c.secret_digest,
    service_accounts.c.created_at,
    service_accounts.c.disabled,
    service_accounts.c.epoch,
)
_MUTABLE_COLUMNS = ("scopes", "secret_digest", "disabled", "epoch")

_SELECT = select(*_COLUMNS)
_ADD = Statement(insert(service_accounts))
_GET_BY_NAME = Statement(_SELECT.where(service_accounts.c.name == bindparam("account_name")))
_LOCK = Statement(_SELECT.where(service_accounts.c.id == bindparam("account_id")).with_for_update())
_UPDATE = Statement(
    update(service_accounts)
    .values({name: bindparam(f"new_{name}") for name in _MUTABLE_COLUMNS})
    .where(service_accounts.c.id == bindparam("account_id")),
    columns=_MUTABLE_COLUMNS,
)
_LIST = PageQuery(_SELECT, service_accounts.c.id)


class SqlServiceAccounts:
    """Service accounts on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, account: ServiceAccount) -> None:
        with translate_constraint_violations({"service_accounts_name_unique": ServiceNameTaken}):
            await _ADD.execute(
                self._connection,
                id=account.id,
                name=account.name,
                created_at=account.created_at,
                **_mutable_values(account),
            )

    async def get_by_name(self, name: str) -> ServiceAccount | None:
        row = await _GET_BY_NAME.fetch_one(self._connection, account_name=name)
        return _account(row) if row else None

    async def lock(self, account_id: UUID) -> ServiceAccount | None:
        row = await _LOCK.fetch_one(self._connection, account_id=account_id)
        return _account(row) if row else None

    async def list_page(self, request: PageRequest) -> Page[ServiceAccount]:
        return await _LIST.fetch(self._connection, request, _account)

    async def update(self, account: ServiceAccount) -> None:
        values = {f"new_{name}": value for name, value in _mutable_values(account).items()}
        await _UPDATE.execute(self._connection, account_id=account.id, **values)


def _mutable_values(account: ServiceAccount) -> dict[str, Any]:
    return {
        "scopes": sorted(account.scopes),
        "secret_digest": account.secret_digest,
        "disabled": account.disabled,
        "epoch": account.epoch,
    }


def _account(row: Sequence[Any]) -> ServiceAccount:
    account_id, name, scopes, digest, created_at, disabled, epoch = row
    # A newer version may have written a scope that this one does not know. It grants nothing here.
    known_scopes = frozenset(scope for scope in Scope if scope.value in scopes)
    return ServiceAccount(account_id, name, known_scopes, digest, created_at, disabled, epoch)
