"""Readiness: whether a process does its work, not whether it runs. Each probe answers within a second or two."""

import asyncio
from pathlib import Path

import grpc
import httpx2
import psycopg
import redis.asyncio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from redis.exceptions import RedisError

from chassis.tls.loopback import load_tls_files
from chassis.tls.loopback import loopback_credentials
from chassis.tls.files import TlsFiles

_SECONDS = 2.0


async def postgres_answers(url: str) -> bool:
    """Tells whether a Postgres server answers a query."""
    try:
        async with asyncio.timeout(_SECONDS), await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute("SELECT 1")
    except (psycopg.Error, TimeoutError):
        return False
    return True


async def redis_answers(url: str) -> bool:
    """Tells whether a Redis server answers and has loaded its data."""
    try:
        async with asyncio.timeout(_SECONDS), redis.asyncio.Redis.from_url(url) as client:
            return bool(await client.ping())
    except (RedisError, OSError, TimeoutError):
        return False


async def grpc_serves(address: str, *, prefix: str = "") -> bool:
    """Tells whether a gRPC server's health service says SERVING for the server as a whole.

    It speaks TLS where settings of this prefix in the environment tell the server to.
    """
    try:
        async with _channel(address, load_tls_files(prefix)) as channel:
            answer = await HealthStub(channel).Check(HealthCheckRequest(), timeout=_SECONDS)
    except (grpc.aio.AioRpcError, ValueError):  # ValueError: certificates that are just being replaced
        return False
    return bool(answer.status == HealthCheckResponse.SERVING)


def _channel(address: str, tls: TlsFiles | None) -> grpc.aio.Channel:
    # A pool of its own: a shared connection would sit out gRPC's backoff between two probes.
    alone = ("grpc.use_local_subchannel_pool", 1)
    if tls is None:
        return grpc.aio.insecure_channel(address, options=[alone])
    credentials, options = loopback_credentials(tls)
    return grpc.aio.secure_channel(address, credentials, options=[alone, *options])


async def http_ok(url: str) -> bool:
    """Tells whether a URL answers 200."""
    # Without a look at HTTP_PROXY and the like: this never leaves the machine.
    async with httpx2.AsyncClient(trust_env=False, timeout=_SECONDS) as client:
        try:
            response = await client.get(url)
        except httpx2.TransportError:
            return False
        return bool(response.status_code == httpx2.codes.OK)


async def file_exists(path: Path) -> bool:
    """Tells whether a process has made the file that it makes when it is ready."""
    return await asyncio.to_thread(path.exists)
