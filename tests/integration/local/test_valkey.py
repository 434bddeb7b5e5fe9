import stat
from pathlib import Path

import psutil
import pytest
import redis.asyncio
from redis.exceptions import AuthenticationError

from deploy.local.servers.valkey import EmbeddedValkey


async def test_a_client_needs_the_password(tmp_path: Path):
    async with EmbeddedValkey(tmp_path, password="known") as server:
        async with redis.asyncio.Redis.from_url(server.url) as client:
            assert await client.ping()
        async with redis.asyncio.Redis.from_url(server.url.replace("known", "guessed")) as client:
            with pytest.raises(AuthenticationError):
                await client.ping()


async def test_the_data_are_there_after_a_restart(tmp_path: Path):
    async with (
        EmbeddedValkey(tmp_path, password="kept") as server,
        redis.asyncio.Redis.from_url(server.url) as client,
    ):
        await client.set("answer", 42)
    async with (
        EmbeddedValkey(tmp_path, password="kept") as server,
        redis.asyncio.Redis.from_url(server.url) as client,
    ):
        assert await client.get("answer") == b"42"


async def test_the_password_is_in_a_file_of_ours_alone_and_in_no_arguments(tmp_path: Path):
    async with EmbeddedValkey(tmp_path, password="in-the-file") as server:
        config = tmp_path / "data" / "valkey.conf"
        assert "in-the-file" in config.read_text()
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        async with redis.asyncio.Redis.from_url(server.url) as client:
            pid = (await client.info("server"))["process_id"]
        assert "in-the-file" not in " ".join(psutil.Process(pid).cmdline())
