import os
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy.local.servers.postgres_user import unprivileged_user
from tests.support.embedded_servers import EmbeddedPostgres

requires_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user of a child process")


async def test_superuser_login_needs_the_password(tmp_path: Path):
    async with EmbeddedPostgres(tmp_path, durable=False) as server:
        async with await psycopg.AsyncConnection.connect(server.url) as connection:
            row = await (await connection.execute("SELECT current_setting('is_superuser')")).fetchone()
            assert row == ("on",)
        with pytest.raises(psycopg.OperationalError, match="password"):
            await psycopg.AsyncConnection.connect(server.url.replace("postgres:", "postgres:wrong", 1))


async def test_collation_is_the_same_on_every_machine(tmp_path: Path):
    async with (
        EmbeddedPostgres(tmp_path, durable=False) as server,
        await psycopg.AsyncConnection.connect(server.url) as connection,
    ):
        row = await (await connection.execute("SELECT lower('ÄÖÜ'), 'B' < 'a'")).fetchone()
        assert row == ("äöü", True)


async def test_data_survive_a_restart(tmp_path: Path):
    async with EmbeddedPostgres(tmp_path, password="secret") as server:
        await _execute(server.url, "CREATE TABLE numbers AS SELECT 42 AS number")
    async with EmbeddedPostgres(tmp_path, password="secret") as server:
        assert await _execute(server.url, "SELECT number FROM numbers") == [(42,)]


async def test_data_survive_a_kill_of_the_server(tmp_path: Path):
    async with EmbeddedPostgres(tmp_path, password="secret") as server:
        await _execute(server.url, "CREATE TABLE numbers AS SELECT 42 AS number")
        _postmaster(tmp_path).kill()
    assert (tmp_path / "cluster" / "postmaster.pid").exists()
    async with EmbeddedPostgres(tmp_path, password="secret") as server:
        assert await _execute(server.url, "SELECT number FROM numbers") == [(42,)]


async def test_incomplete_cluster_is_created_again(tmp_path: Path):
    partial = tmp_path / "cluster.partial"
    partial.mkdir()
    (partial / "PG_VERSION").touch()
    async with EmbeddedPostgres(tmp_path, durable=False) as server:
        assert await _execute(server.url, "SELECT 1") == [(1,)]
    assert not partial.exists()


async def test_two_servers_run_side_by_side(tmp_path: Path):
    async with (
        EmbeddedPostgres(tmp_path / "one", durable=False) as one,
        EmbeddedPostgres(tmp_path / "two", durable=False) as two,
    ):
        assert await _execute(one.url, "SELECT 1") == [(1,)]
        assert await _execute(two.url, "SELECT 2") == [(2,)]


@requires_root
async def test_root_runs_postgres_as_an_unprivileged_user(tmp_path: Path):
    """The server works although its user cannot enter the directory above the cluster, whose mode stays 0700."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    async with EmbeddedPostgres(private, durable=False):
        assert _postmaster(private).uids().effective == unprivileged_user().uid
    assert private.stat().st_mode & 0o777 == 0o700


async def _execute(url: str, statement: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        cursor = await connection.execute(statement)
        return await cursor.fetchall() if cursor.description else []


def _postmaster(directory: Path) -> psutil.Process:
    return psutil.Process(int((directory / "cluster" / "postmaster.pid").read_text().split()[0]))
