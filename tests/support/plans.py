"""Plans of the statements that a repository runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import psycopg


@dataclass(frozen=True)
class Plan:
    """Plan of one statement, and what its execution read."""

    sql: str
    nodes: list[dict[str, Any]]

    @property
    def indexes(self) -> set[str]:
        return {node["Index Name"] for node in self.nodes if "Index Name" in node}

    @property
    def scans(self) -> set[str]:
        """Types of the nodes that read tables and indexes."""
        return {node_type for node_type in self.node_types if node_type.endswith("Scan")} - {"Subquery Scan"}

    @property
    def node_types(self) -> set[str]:
        return {node["Node Type"] for node in self.nodes}

    @property
    def blocks(self) -> int:
        return int(self.nodes[0]["Shared Hit Blocks"]) + int(self.nodes[0]["Shared Read Blocks"])


class ExplainedConnection:
    """Connection that also runs EXPLAIN for each statement."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection
        self.plans: list[Plan] = []

    def kept_cursor(self, _: str) -> Self:
        """Return what runs a statement: this connection, which takes a new cursor for each."""
        return self

    async def execute(self, statement: str, values: Mapping[str, Any]) -> Any:
        cursor = await self._connection.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement, values)
        ((explained,),) = await cursor.fetchall()
        self.plans.append(Plan(statement, list(_nodes(explained[0]["Plan"]))))
        return await self._connection.execute(statement, values)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)
