"""Data directories with the tasks of the bench, written by Postgres itself: a minute or two for each million."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from deploy.local.stack import Announce
from tests.bench.growth.accounts import Account
from tests.bench.growth.dataset import OWNERS, SMALL_OWNER_TASKS, Dataset, import_id

_MARKER = "growth.json"
_STEP = 500_000
_TABLES = ("tasks", "task_events")
_FOLDER = Path(__file__).parent

_INDEXES = """
SELECT i.relname, pg_get_indexdef(i.oid) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
WHERE x.indrelid = CAST(%s AS regclass) AND NOT x.indisprimary
"""
_ADD_IMPORT = """
INSERT INTO tasks.imports (
    id, owner_id, actor_id, actor_role, request_id, state, file_name, created_at, finished_at, rows_created
)
VALUES (%s, %s, %s, 'user', 'growth', 'succeeded', %s, %s, %s, %s)
"""
_SEAL = """
INSERT INTO tasks.history_blocks (
    number, event_count, total_events, last_transaction_number, last_event_id, manifest, digest_version, previous_hash,
    hash, sealed_at
)
SELECT 1, %(events)s, %(events)s, transaction_number, id, '', 2, sha256(''), sha256(''), now()
FROM tasks.task_events ORDER BY transaction_number DESC, id DESC LIMIT 1
"""


@dataclass(frozen=True)
class Filled:
    """Tables with the tasks of a data set, the seconds that writing them took, and their bytes with indexes."""

    dataset: Dataset
    seconds: float
    size: Mapping[str, int]


def read_marker(data_dir: Path) -> Filled | None:
    """Return the content of the tables of a data directory; None if they were never filled to the end."""
    try:
        content = json.loads((data_dir / _MARKER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Filled(Dataset(**content["dataset"]), content["seconds"], content["size"])


def fill(url: str, dataset: Dataset, accounts: Mapping[str, Account], announce: Announce) -> Filled:
    """Replace all tasks, events and imports by those of the data set."""
    began = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as connection:
        # The service would compute digests of all events meanwhile, and afterwards too without the block.
        connection.execute("SELECT pg_advisory_lock(hashtext('tasks.history_blocks'))")
        connection.execute("TRUNCATE tasks.tasks, tasks.task_events, tasks.history_blocks, tasks.imports CASCADE")
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET maintenance_work_mem = '512MB'")
        indexes = {table: _drop_indexes(connection, table) for table in _TABLES}
        _add_rows(connection, dataset, accounts, announce)
        for table, definitions in indexes.items():
            announce(f"filling: {len(definitions)} indexes of {table}")
            for definition in definitions:
                connection.execute(definition)
        _add_imports(connection, dataset, accounts)
        connection.execute(
            "SELECT setval('tasks.transaction_numbers', (SELECT max(transaction_number) + 1 FROM tasks.task_events))"
        )
        connection.execute(_SEAL, {"events": dataset.tasks + 2 * SMALL_OWNER_TASKS})
        announce("filling: VACUUM ANALYZE")
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
        size = {table: _size(connection, table) for table in _TABLES}
    return Filled(dataset, time.perf_counter() - began, size)


def write_marker(data_dir: Path, filled: Filled) -> None:
    """Say in the data directory that its tables are complete."""
    (data_dir / _MARKER).write_text(json.dumps(asdict(filled), indent=2) + "\n", encoding="utf-8")


def _add_rows(
    connection: psycopg.Connection, dataset: Dataset, accounts: Mapping[str, Account], announce: Announce
) -> None:
    values = {
        **asdict(dataset),
        "block": dataset.block,
        "small_owners": dataset.small_owners,
        "owned_by_small": SMALL_OWNER_TASKS,
        "rare_change_ms": int(dataset.last_change.timestamp() * 1000),
        "assignee_id": accounts["manager"].id,
        **{f"{name}_id": accounts[name].id for name in OWNERS},
    }
    end = dataset.tasks + SMALL_OWNER_TASKS
    for first in range(-SMALL_OWNER_TASKS, end, _STEP):
        last = min(first + _STEP, end) - 1
        for file in ("tasks.sql", "events.sql"):
            statement = sql.SQL((_FOLDER / file).read_text(encoding="utf-8"))
            ends = {"first": first, "last": last, "first_ms": dataset.ms(first), "last_ms": dataset.ms(last)}
            literals = {name: sql.Literal(value) for name, value in {**values, **ends}.items()}
            connection.execute(statement.format(**literals))
        announce(f"filling: {last + 1 + SMALL_OWNER_TASKS:,} of {end + SMALL_OWNER_TASKS:,} tasks, each with its event")


def _drop_indexes(connection: psycopg.Connection, table: str) -> list[str]:
    """Drop all indexes but the primary key; return their definitions. To create them later is faster."""
    indexes = connection.execute(_INDEXES, [f"tasks.{table}"]).fetchall()
    for name, _ in indexes:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier("tasks", name)))
    return [definition for _, definition in indexes]


def _add_imports(connection: psycopg.Connection, dataset: Dataset, accounts: Mapping[str, Account]) -> None:
    for owner in OWNERS:
        owned, owner_id = dataset.owned(owner), accounts[owner].id
        for matches, first, last in (
            ("many", owned // 4, owned // 4 * 3 - 1),
            ("few", owned - 3, owned - 1),
            ("none", 0, 1),
        ):
            times = (dataset.created_at(owner, first), dataset.created_at(owner, last))
            count = 0 if matches == "none" else last - first + 1
            identity = (import_id(owner_id, matches), owner_id, owner_id, f"{matches}.csv")
            connection.execute(_ADD_IMPORT, (*identity, *times, count))


def _size(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute("SELECT pg_total_relation_size(CAST(%s AS regclass))", [f"tasks.{table}"]).fetchone()
    return int(row[0]) if row else 0
