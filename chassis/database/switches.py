"""Switches that an operator turns on for maintenance. They are rows of a table, and every process polls them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from prometheus_client import Gauge
from psycopg import sql

from chassis.database.connection import Connection
from chassis.database.fair_pool import Connections
from chassis.database.unit_of_work import SqlReadSession
from chassis.kernel.errors import ReadOnly
from chassis.probes.process_status import ProcessStatus

READ_ONLY = "read_only"
"""Switch that refuses every write of the service."""

POLL_INTERVAL_SECONDS = 1.0

SWITCH_ON = Gauge("operator_switch_on", "1 while an operator's switch is on, else 0", ["switch"])

log = structlog.get_logger("switches")


@dataclass(frozen=True, slots=True)
class SwitchedOn:
    """A switch that is on: the operator's reason, which callers read, and its time."""

    reason: str
    since: datetime


class Switches:
    """Switches of a service, as of the last poll. All are off before the first."""

    def __init__(self, names: tuple[str, ...], status: ProcessStatus) -> None:
        self._names = names
        self._status = status
        self._switched_on: Mapping[str, SwitchedOn] = {}
        self.known = asyncio.Event()
        """Set by the first poll. A service accepts no calls before."""
        self._show()

    def is_on(self, name: str) -> bool:
        """Return True while the switch is on."""
        return name in self._switched_on

    def ensure_writable(self) -> None:
        """Raise ReadOnly while the service is read-only."""
        if found := self._switched_on.get(READ_ONLY):
            raise ReadOnly(operators_reason=found.reason)

    def update(self, switched_on: Mapping[str, SwitchedOn]) -> None:
        """Replace the state by that of a poll."""
        for name in self._names:
            if (name in switched_on) != self.is_on(name):
                log.info("switch turned", switch=name, on=name in switched_on)
        self._switched_on = switched_on
        self._show()
        self.known.set()

    def _show(self) -> None:
        for name in self._names:
            SWITCH_ON.labels(name).set(self.is_on(name))
        self._status.details["switches"] = [self._to_json(name) for name in self._names]

    def _to_json(self, name: str) -> Mapping[str, Any]:
        found = self._switched_on.get(name)
        if found is None:
            return {"name": name, "on": False}
        return {"name": name, "on": True, "reason": found.reason, "since": found.since.isoformat()}


class PollSwitches:
    """Background work that reads the switches. In an outage of the database the last state stays."""

    def __init__(self, connections: Connections, schema: str, switches: Switches) -> None:
        self._connections = connections
        self._schema = schema
        self._switches = switches

    async def __call__(self) -> None:
        async with SwitchSession(self._connections, self._schema) as session:
            switched_on = await session.read()
        self._switches.update(switched_on)


class SwitchSession(SqlReadSession):
    """The table of the switches, on a connection of the service."""

    def __init__(self, connections: Connections, schema: str) -> None:
        super().__init__(connections)
        self._schema = schema

    async def read(self) -> Mapping[str, SwitchedOn]:
        """Return the switches that are on, by name."""
        cursor = await self.connection.execute(
            sql.SQL("SELECT name, reason, since FROM {}").format(sql.Identifier(self._schema, "operator_switches"))
        )
        return {name: SwitchedOn(reason, since) for name, reason, since in await cursor.fetchall()}


class WritableConnections:
    """Connections for transactions that write. While the service is read-only, nobody gets one."""

    def __init__(self, connections: Connections, switches: Switches) -> None:
        self._connections = connections
        self._switches = switches

    async def getconn(self) -> Connection:
        """Wait for a connection. Raises ReadOnly at once, or after the wait if the switch was turned meanwhile."""
        self._switches.ensure_writable()
        connection = await self._connections.getconn()
        try:
            self._switches.ensure_writable()
        except ReadOnly:
            await self._connections.putconn(connection)
            raise
        return connection

    async def putconn(self, conn: Connection) -> None:
        """Return a connection."""
        await self._connections.putconn(conn)
