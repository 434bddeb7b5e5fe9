"""The internal port of auth_service, for the gateway and the other services."""

import asyncio

import grpc
from taskmanager.auth.v1 import user_service_pb2

from auth_service.server import run_server
from chassis.rpc.client import open_channel
from chassis.settings import Listen
from tests.integration.auth_service.auth_server import AuthServer, code_and_reason, make_settings
from tests.support.grpc_calls import bearer

LOCAL = "127.0.0.0/8"


async def test_internal_rpcs_and_trust_are_for_the_internal_port(database):
    """The public port refuses internal rpcs of mixed services, and limits everybody by address."""
    settings = make_settings(
        database.auth_url,
        internal_listen=Listen("127.0.0.1", 0),
        public_calls_per_minute=2,
        trusted_peers=LOCAL,
    )
    async with run_server(settings) as server:
        async with asyncio.timeout(20):
            await server.is_ready.wait()
        async with (
            open_channel(f"127.0.0.1:{server.port}") as public_channel,
            open_channel(f"127.0.0.1:{server.internal_port}") as internal_channel,
        ):
            public, internal = AuthServer(settings, public_channel), AuthServer(settings, internal_channel)
            sonu = await internal.register()
            credential = await internal.create_service("reports", "users:read")
            reader = bearer((await internal.service_token(credential)).access_token)
            request = user_service_pb2.ResolveUserRequest(id=sonu.id)
            assert await internal.users.ResolveUser(request, metadata=reader) == sonu
            refusal = await code_and_reason(public.users.ResolveUser(request, metadata=reader))
            assert refusal == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
            for _ in range(3):  # the internal port has no limit by address
                await internal.login()
            for _ in range(2):
                token = (await public.login()).access_token
            assert (await code_and_reason(public.login()))[1] == "TOO_MANY_CALLS"
            assert await public.me(token) == await internal.me(token)
