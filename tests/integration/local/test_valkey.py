import stat
from pathlib import Path

import psutil
import pytest
import redis.asyncio
from redis.exceptions import AuthenticationError

from tests.support.embedded_servers import EmbeddedValkey


async def test_client_needs_the_password(tmp_path: Path):
    async with EmbeddedValkey(tmp_path, password="correct") as server:
        async with redis.asyncio.Redis.from_url(server.url) as client:
            assert await client.ping()
        async with redis.asyncio.Redis.from_url(server.url.replace("correct", "wrong")) as client:
            with pytest.raises(AuthenticationError):
                await client.ping()


async def test_data_survive_a_restart(tmp_path: Path):
    async with (
        EmbeddedValkey(tmp_path, password="secret") as server,
        redis.asyncio.Redis.from_url(server.url) as client,
    ):
        await client.set("number", 42)
    async with (
        EmbeddedValkey(tmp_path, password="secret") as server,
        redis.asyncio.Redis.from_url(server.url) as client,
    ):
        assert await client.get("number") == b"42"


async def test_password_is_in_a_private_file_only(tmp_path: Path):
    """The password is not in the arguments of the process, which every user can read."""
    async with EmbeddedValkey(tmp_path, password="in-the-file") as server:
        config = tmp_path / "data" / "valkey.conf"
        assert "in-the-file" in config.read_text()
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        async with redis.asyncio.Redis.from_url(server.url) as client:
            pid = (await client.info("server"))["process_id"]
        assert "in-the-file" not in " ".join(psutil.Process(pid).cmdline())
