"""Statements compiled once run on psycopg, which must convert types and lists as SQLAlchemy's engine does."""

from datetime import UTC, date, datetime
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from psycopg.types.json import Jsonb
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    any_,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import CreateTable

from chassis.database.connection import MAX_KEPT_CURSORS
from chassis.database.pool import open_pool
from chassis.database.statement import ExpandingParameter, Statement

things = Table(
    "things",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("name", Text),
    Column("due", Date),
    Column("at", DateTime(timezone=True)),
    Column("data", JSONB),
    Column("words", ARRAY(Text)),
    Column("raw", LargeBinary),
    Column("many", BigInteger),
    prefixes=["TEMPORARY"],
)
NAMES = [column.name for column in things.c]

FIRST, SECOND = UUID(int=1), UUID(int=2)
VALUES = {
    "id": FIRST,
    "name": "Zoë's 100% 'quoted' \\ :name %(name)s",
    "due": date(2026, 2, 28),
    "at": datetime(2026, 11, 22, 12, 30, 0, 123456, tzinfo=UTC),
    "data": {"title": ["", "a \N{SNOWMAN}"], "none": None},
    "words": ["", "a,b", 'say "hi"', "{}"],
    "raw": b"\x00\xff\\",
    "many": 2**53,
}
NULLS = {**dict.fromkeys(NAMES), "id": SECOND}

ADD = Statement(insert(things), columns=NAMES)
ALL = Statement(select(things).order_by(things.c.id))


@pytest_asyncio.fixture
async def connection(postgres: str):
    """Connection with an empty temporary table."""
    async with open_pool(postgres, name="test", size=1) as pool, pool.connection() as connection:
        await connection.execute(str(CreateTable(things).compile(dialect=postgresql.dialect())))
        await connection.execute("SET timezone TO 'UTC'")
        yield connection


async def rows(connection, statement: Statement = ALL, **values):
    return await (await statement.run(connection, **values)).fetchall()


async def test_every_type_round_trips(connection):
    await ADD.run(connection, **{**VALUES, "data": Jsonb(VALUES["data"])})
    assert await rows(connection) == [tuple(VALUES.values())]


async def test_column_without_a_value_is_null(connection):
    await ADD.run(connection, **NULLS)
    assert await rows(connection) == [tuple(NULLS.values())]


async def test_insert_many_accepts_an_empty_list(connection):
    await ADD.run_all(connection, [{**VALUES, "data": Jsonb(VALUES["data"])}, NULLS])
    await ADD.run_all(connection, [])
    assert sorted(row[0] for row in await rows(connection)) == [FIRST, SECOND]


async def test_any_takes_lists_of_every_length(connection):
    await ADD.run(connection, **{**NULLS, "id": FIRST, "name": "a"})
    await ADD.run(connection, **{**NULLS, "id": SECOND, "name": "b"})
    statement = Statement(
        select(things.c.id)
        .where(things.c.name == any_(bindparam("names", type_=ARRAY(Text))), things.c.id == any_(bindparam("ids")))
        .order_by(things.c.id)
    )
    both = [FIRST, SECOND]
    assert await rows(connection, statement, names=["a", "b", "c"], ids=both) == [(FIRST,), (SECOND,)]
    assert await rows(connection, statement, names=["b"], ids=both) == [(SECOND,)]
    assert await rows(connection, statement, names=[], ids=both) == []
    assert await rows(connection, statement, names=["a", "b"], ids=[]) == []


async def test_constant_in_a_statement_needs_no_value(connection):
    await ADD.run(connection, **NULLS)
    statement = Statement(update(things).where(things.c.id == bindparam("which")).values(name="fifty %", many=7))
    await statement.run(connection, which=SECOND)
    assert await rows(connection, Statement(select(things.c.name, things.c.many))) == [("fifty %", 7)]


async def test_update_returns_the_row_count(connection):
    await ADD.run(connection, **NULLS)
    statement = Statement(update(things).where(things.c.id == bindparam("which")).values(name="x"))
    assert (await statement.run(connection, which=SECOND)).rowcount == 1
    assert (await statement.run(connection, which=FIRST)).rowcount == 0


async def test_one_row_is_read_again_and_again(connection):
    """The kept cursor of a statement takes other types, finds no row and fails, without an effect on its next run."""
    update_name = Statement(update(things).where(things.c.id == bindparam("which")).values(name=bindparam("new_name")))
    find = Statement(select(things.c.name, things.c.many).where(things.c.id == bindparam("which")))
    await ADD.execute(connection, **{**VALUES, "data": Jsonb(VALUES["data"])})
    await ADD.execute(connection, **NULLS)
    assert await find.fetch_one(connection, which=FIRST) == (VALUES["name"], 2**53)
    assert await find.fetch_one(connection, which=SECOND) == (None, None)
    assert await find.fetch_one(connection, which=UUID(int=3)) is None
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        await find.fetch_one(connection, which="no id")
    assert await update_name.execute(connection, which=str(FIRST), new_name=7) == 1
    assert await update_name.execute(connection, which=UUID(int=3), new_name="x") == 0
    assert await find.fetch_one(connection, which=str(FIRST)) == ("7", 2**53)


async def test_connection_keeps_the_cursors_of_few_statements(connection):
    """A service with statements of any number of shapes does not fill its memory with cursors."""
    texts = [f"SELECT {number}" for number in range(MAX_KEPT_CURSORS + 1)]
    first = connection.kept_cursor(texts[0])
    assert connection.kept_cursor(texts[0]) is first
    cursors = {id(cursor): cursor for cursor in map(connection.kept_cursor, texts)}
    assert len(cursors) == MAX_KEPT_CURSORS + 1
    assert connection.kept_cursor(texts[-1]) is [*cursors.values()][-1]
    assert connection.kept_cursor(texts[0]) is not first


def test_in_list_is_refused_at_compile_time():
    with pytest.raises(ExpandingParameter):
        Statement(select(things).where(things.c.id.in_([FIRST, SECOND])))
