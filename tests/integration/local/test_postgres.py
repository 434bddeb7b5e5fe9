import os
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy.local.host.os_user import Account
from deploy.local.servers.postgres import EmbeddedPostgres

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


async def test_a_superuser_can_log_in_with_the_password_and_nobody_without(tmp_path: Path):
    async with EmbeddedPostgres(tmp_path, throwaway=True) as server:
        async with await psycopg.AsyncConnection.connect(server.url) as connection:
            row = await (await connection.execute("SELECT current_setting('is_superuser')")).fetchone()
            assert row == ("on",)
        with pytest.raises(psycopg.OperationalError, match="password"):
            await psycopg.AsyncConnection.connect(server.url.replace("postgres:", "postgres:wrong", 1))


async def test_text_is_compared_alike_on_every_machine(tmp_path: Path):
    async with (
        EmbeddedPostgres(tmp_path, throwaway=True) as server,
        await psycopg.AsyncConnection.connect(server.url) as connection,
    ):
        row = await (await connection.execute("SELECT lower('ÄÖÜ'), 'B' < 'a'")).fetchone()
        assert row == ("äöü", True)


async def test_the_data_are_there_after_a_restart(tmp_path: Path):
    async with EmbeddedPostgres(tmp_path, password="kept") as server:
        await _execute(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    async with EmbeddedPostgres(tmp_path, password="kept") as server:
        assert await _execute(server.url, "SELECT answer FROM kept") == [(42,)]


async def test_the_data_are_there_after_the_server_was_killed(tmp_path: Path):
    async with EmbeddedPostgres(tmp_path, password="kept") as server:
        await _execute(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        _postmaster(tmp_path).kill()
    assert (tmp_path / "cluster" / "postmaster.pid").exists()
    async with EmbeddedPostgres(tmp_path, password="kept") as server:
        assert await _execute(server.url, "SELECT answer FROM kept") == [(42,)]


async def test_a_cluster_that_was_half_made_is_made_anew(tmp_path: Path):
    half = tmp_path / "cluster.partial"
    half.mkdir()
    (half / "PG_VERSION").touch()
    async with EmbeddedPostgres(tmp_path, throwaway=True) as server:
        assert await _execute(server.url, "SELECT 1") == [(1,)]
    assert not half.exists()


async def test_two_servers_run_side_by_side(tmp_path: Path):
    async with (
        EmbeddedPostgres(tmp_path / "one", throwaway=True) as one,
        EmbeddedPostgres(tmp_path / "two", throwaway=True) as two,
    ):
        assert await _execute(one.url, "SELECT 1") == [(1,)]
        assert await _execute(two.url, "SELECT 2") == [(2,)]


@AS_ROOT
async def test_root_runs_it_as_somebody_else_who_cannot_reach_the_folder(tmp_path: Path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    async with EmbeddedPostgres(closed, throwaway=True):
        assert _postmaster(closed).uids().effective == Account.unprivileged().uid
    assert closed.stat().st_mode & 0o777 == 0o700


async def _execute(url: str, statement: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        cursor = await connection.execute(statement)
        return await cursor.fetchall() if cursor.description else []


def _postmaster(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "cluster" / "postmaster.pid").read_text().split()[0]))
