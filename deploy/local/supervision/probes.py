"""Readiness probes: each checks that a process does its work, not only that it runs. Each takes at most two seconds."""

import asyncio

import grpc
import httpx2
import psycopg
import redis.asyncio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from redis.exceptions import RedisError

from chassis.tls.files import TlsFiles
from chassis.tls.loopback import load_tls_files, loopback_credentials

_TIMEOUT_SECONDS = 2.0


async def postgres_is_ready(url: str) -> bool:
    """Return True if a Postgres server executes a query."""
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS), await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute("SELECT 1")
    except (psycopg.Error, TimeoutError):
        return False
    return True


async def redis_is_ready(url: str) -> bool:
    """Return True if a Redis server responds and has loaded its data."""
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS), redis.asyncio.Redis.from_url(url) as client:
            return bool(await client.ping())
    except (RedisError, OSError, TimeoutError):
        return False


async def grpc_is_serving(address: str, *, prefix: str = "") -> bool:
    """Return True if the health service of a gRPC server says SERVING for the whole server.

    The probe uses TLS if the environment has TLS settings with this prefix, for then the server uses TLS.
    """
    try:
        async with _open_channel(address, load_tls_files(prefix)) as channel:
            response = await HealthStub(channel).Check(HealthCheckRequest(), timeout=_TIMEOUT_SECONDS)
    except (grpc.aio.AioRpcError, ValueError):  # ValueError: the certificate files are being replaced
        return False
    return bool(response.status == HealthCheckResponse.SERVING)


def _open_channel(address: str, tls: TlsFiles | None) -> grpc.aio.Channel:
    # Probes do not share connections: a shared one would stay in gRPC's reconnect backoff between two probes.
    own_connection = ("grpc.use_local_subchannel_pool", 1)
    if tls is None:
        return grpc.aio.insecure_channel(address, options=[own_connection])
    credentials, options = loopback_credentials(tls)
    return grpc.aio.secure_channel(address, credentials, options=[own_connection, *options])


async def http_is_ok(url: str) -> bool:
    """Return True if a GET of a URL returns status 200."""
    # trust_env=False ignores HTTP_PROXY and the like: the request stays on this machine.
    async with httpx2.AsyncClient(trust_env=False, timeout=_TIMEOUT_SECONDS) as client:
        try:
            response = await client.get(url)
        except httpx2.TransportError:
            return False
        return bool(response.status_code == httpx2.codes.OK)
