"""auth_service that starts while an operator's switch makes it read-only."""

import grpc

from tests.integration.auth_service.auth_server import code_and_reason, running_auth_server
from tests.support.commands import command_runner


async def test_service_starts_in_read_only_mode(settings, database):
    """It needs no write if a signing key exists, and refuses writes from its first call."""
    async with running_auth_server(settings) as auth_server:
        await auth_server.register()
    command = command_runner("auth_service", "AUTH", {"AUTH_OWNER_DATABASE_URL": database.url("auth_owner")})
    assert (await command("switch", "read_only", "on", "--reason", "We move."))[0] == 0
    async with running_auth_server(settings) as auth_server:
        refusal = await code_and_reason(auth_server.register("mina"))
        assert refusal == (grpc.StatusCode.UNAVAILABLE, "READ_ONLY")
