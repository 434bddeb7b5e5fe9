"""Measured cases: the queries as each caller sends them."""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, replace

import grpc
import psycopg

from tests.bench.growth.accounts import SERVICE, Account, open_accounts
from tests.bench.growth.calls import ALL_OWNERS, Caller, Stubs, other_calls
from tests.bench.growth.dataset import EVERY_OWNER, OWNERS, Dataset, import_id
from tests.bench.growth.measurement import Call, Response
from tests.bench.growth.queries import DEFAULT, MANY, NONE, Query, Subject, all_queries
from tests.bench.http import HttpConnection
from tests.bench.system import System

SMALL, LARGE = "small", "large"
USER, MANAGER, ALL = "user", "manager, one owner", "manager, all owners"

PARTS = ("user", "manager", "all", "other")
_SERVICE_QUERIES = {("default list", MANY), ("default list, middle", MANY), ("q, one word", NONE)}
_OTHER_AGES_QUERIES = {
    *_SERVICE_QUERIES,
    ("order created_at asc", MANY),
    ("order due_date asc", MANY),
    ("order title asc", MANY),
    ("labels_all", NONE),
}
_REST_PATHS = {
    "default list": "/api/v1/tasks",
    "q, one word": "/api/v1/tasks?q=xylophone",
    "GetTaskStats": "/api/v1/tasks:stats",
}


@dataclass(frozen=True)
class Case:
    """A call, the row of the report that it belongs to, and the owner whose goal applies."""

    query: str
    matches: str
    caller: str
    owner: str
    """SMALL or LARGE. Lists of all owners have the goal of the large one."""
    call: Call

    @property
    def title(self) -> str:
        return f"{self.query}, {self.matches or 'any'} ({self.caller}; {self.owner} owner)"


@dataclass(frozen=True)
class Workload:
    """Cases of all callers in a filled system."""

    system: System
    dataset: Dataset
    accounts: Mapping[str, Account]
    stubs: Stubs
    subjects: Mapping[str, Subject]

    @classmethod
    def create(cls, system: System, dataset: Dataset, accounts: Mapping[str, Account], stubs: Stubs) -> "Workload":
        with psycopg.connect(system.stack.endpoints.postgres_url) as connection:
            ids = {
                owner: tuple(
                    str(row[0])
                    for row in connection.execute(
                        "SELECT id FROM tasks.tasks WHERE owner_id = %s AND deleted_at IS NULL LIMIT 100",
                        [accounts[owner].id],
                    )
                )
                for owner in OWNERS
            }
        subjects = {owner: Subject(owner, accounts[owner].id, ids[owner], accounts["manager"].id) for owner in OWNERS}
        subjects[EVERY_OWNER] = replace(subjects[LARGE], owner=EVERY_OWNER)
        return cls(system, dataset, accounts, stubs, subjects)

    def caller(self, account: str, owner: str, owner_id: str = "") -> Caller:
        return Caller(self.stubs, self.accounts[account], owner_id, self.subjects[owner], self.dataset)

    async def renew_tokens(self) -> "Workload":
        """Return the workload with new access tokens, which are valid for 15 minutes."""
        return replace(self, accounts=await open_accounts(self.system.stack.endpoints))

    async def default_call(self) -> Call:
        """Return the call to which all others are compared: the default list of a small owner."""
        return await self.caller(SMALL, SMALL).list_call(DEFAULT)

    def cases(self, part: str) -> AsyncIterator[Case]:
        """Yield the cases of a part of the workload."""
        return {
            "user": self._user_cases,
            "manager": self._manager_cases,
            "all": self._all_owners_cases,
            "other": self._other_cases,
        }[part]()

    async def _user_cases(self) -> AsyncIterator[Case]:
        for owner in (SMALL, LARGE):
            async for case in self._lists(self.caller(owner, owner), USER, owner):
                yield case
        for owner, age in (("old", "oldest"), ("new", "newest")):
            caller = self.caller(owner, owner)
            async for case in self._lists(caller, f"{USER}, {age} tasks", SMALL, only=_OTHER_AGES_QUERIES):
                yield case

    async def _manager_cases(self) -> AsyncIterator[Case]:
        for owner in (SMALL, LARGE):
            caller = self.caller("manager", owner, self.accounts[owner].id)
            async for case in self._lists(caller, MANAGER, owner):
                yield case

    async def _all_owners_cases(self) -> AsyncIterator[Case]:
        async for case in self._lists(self.caller("manager", EVERY_OWNER, ALL_OWNERS), ALL, LARGE):
            yield case
        async for case in self._lists(self.caller(SERVICE, EVERY_OWNER), SERVICE, LARGE, only=_SERVICE_QUERIES):
            yield case

    async def _lists(
        self, caller: Caller, name: str, owner: str, only: Collection[tuple[str, str]] = ()
    ) -> AsyncIterator[Case]:
        for query in all_queries(self.dataset, caller.subject):
            if not only or (query.name, query.matches) in only:
                yield Case(query.name, query.matches, name, owner, await _prepared(caller, query))

    async def _other_cases(self) -> AsyncIterator[Case]:
        for owner, account, owner_id, name in (
            (SMALL, SMALL, "", USER),
            (LARGE, LARGE, "", USER),
            (LARGE, "manager", ALL_OWNERS, ALL),
        ):
            caller = self.caller(account, owner, owner_id)
            task_id = caller.subject.ids[len(caller.subject.ids) // 2]
            calls = await other_calls(caller, task_id, import_id(self.accounts[owner].id, MANY))
            for query, call in calls.items():
                yield Case(query, "", name, owner, call)
        for owner in (SMALL, LARGE):
            async with HttpConnection.open(self.system.gateway_url) as connection:
                for query, path in _REST_PATHS.items():
                    yield Case(query, "", "user, REST", owner, self._rest_call(connection, owner, path))

    def _rest_call(self, connection: HttpConnection, owner: str, path: str) -> Call:
        head = f"GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {self.accounts[owner].token}\r\n\r\n"
        send = connection.caller(head.encode)

        async def call() -> Response:
            await send()
            return Response(1)

        return call


async def _prepared(caller: Caller, query: Query) -> Call:
    """Return the call of a query. If even the first page is refused, there is no token of a later one."""
    try:
        return await caller.list_call(query)
    except grpc.aio.AioRpcError:
        return await caller.list_call(replace(query, from_middle=False))
