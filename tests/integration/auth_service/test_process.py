"""The service as a process: logs, readiness, start-up errors and shutdown."""

import asyncio
import base64
import json
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import psycopg
import pytest
from grpc.aio import insecure_channel
from grpc_health.v1 import health_pb2, health_pb2_grpc

import auth_service
from auth_service.server import run_server
from chassis.rpc.client import open_channel
from chassis.testing.database import temporary_database
from deploy.local.host.free_ports import find_free_port
from tests.integration.auth_service.auth_server import AuthServer, make_settings, running_auth_server
from tests.support.database import Database, create_schema
from tests.support.grpc_calls import refused

SERVING = health_pb2.HealthCheckResponse.SERVING


def environment(settings, port):
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("AUTH_")}
    return inherited | {
        "AUTH_LISTEN": f"127.0.0.1:{port}",
        "AUTH_DATABASE_URL": settings.database_url.get_secret_value(),
        "AUTH_KEY_ENCRYPTION_KEY": settings.key_encryption_key.get_secret_value(),
        "AUTH_ARGON2_MEMORY_KIB": "8",
        "AUTH_LOG_LEVEL": "debug",
    }


@asynccontextmanager
async def process(settings, **changes):
    """Run `python -m auth_service` and yield the process and its port."""
    port = find_free_port()
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "auth_service",
        env=environment(settings, port) | changes,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield child, port
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def until_serving(channel):
    health = health_pb2_grpc.HealthStub(channel)
    watch = health.Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True)
    async with asyncio.timeout(30):
        async for response in watch:
            if response.status == SERVING:
                watch.cancel()
                return


async def test_logs_hold_no_secrets_and_sigterm_exits_cleanly(settings):
    canary = "canary-in-a-coal-mine"
    async with process(settings) as (child, port), open_channel(f"127.0.0.1:{port}") as channel:
        await until_serving(channel)
        auth_server = AuthServer(settings, channel)
        credential = await auth_server.create_service("reports", "trust:read")
        token = (await auth_server.service_token(credential)).access_token
        await auth_server.trust_state(token)
        await refused(auth_server.trust_state(token, canary))
        await refused(auth_server.service_token(credential + canary))
        await auth_server.register(password=canary)
        await refused(auth_server.register(password=canary))
        await refused(auth_server.register("", password=canary[:8]))
        await refused(auth_server.login(password=canary + "!"))
        login = await auth_server.login(password=canary)
        refreshed = await auth_server.refresh(login.refresh_token)
        await refused(auth_server.refresh(login.refresh_token))
        await refused(auth_server.change_password(login.access_token, canary + "?", canary))
        await auth_server.me(login.access_token)
        await refused(auth_server.me(login.access_token + "x"))
        child.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(child.communicate(), 20)
    assert child.returncode == 0
    log = output.decode()
    assert log.count('"method": "/taskmanager.auth.v1.AuthService/') == 9
    secrets = [canary, canary[:8], credential.partition(".")[2], token, login.access_token]
    secrets += [login.refresh_token, refreshed.access_token, refreshed.refresh_token]
    assert [secret for secret in secrets if secret in log] == []


async def test_access_log_names_caller_and_status(settings):
    async with process(settings) as (child, port), open_channel(f"127.0.0.1:{port}") as channel:
        await until_serving(channel)
        auth_server = AuthServer(settings, channel)
        user = await auth_server.register()
        token = (await auth_server.login()).access_token
        await auth_server.me(token)
        await refused(auth_server.trust_state(token))
        child.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(child.communicate(), 20)
    lines = [json.loads(line) for line in output.decode().splitlines() if '"event": "call"' in line]
    assert [(line["method"].rpartition("/")[2], line["status"], line.get("caller")) for line in lines] == [
        ("Register", "OK", None),
        ("Login", "OK", None),
        ("GetCurrentUser", "OK", user.id),
        ("GetTrustState", "PERMISSION_DENIED", user.id),
    ]


async def test_wrong_encryption_key_stops_the_start(settings):
    """The process exits with status 2 and a message without a traceback."""
    async with running_auth_server(settings):
        pass
    other = base64.b64encode(bytes(32)).decode()
    async with process(settings, AUTH_KEY_ENCRYPTION_KEY=other) as (child, _):
        output, _ = await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode == 2
    assert "AUTH_KEY_ENCRYPTION_KEY is not the key that the signing keys in the database were encrypted with" in str(
        output
    )
    assert "Traceback" not in str(output)


async def test_address_in_use_stops_the_start(settings):
    """The process exits with status 2 and a message without a traceback."""
    async with (
        run_server(settings) as running,
        process(settings, AUTH_LISTEN=f"127.0.0.1:{running.port}") as (child, _),
    ):
        output, _ = await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode == 2
    assert f"cannot listen on 127.0.0.1:{running.port}" in str(output)
    assert "Traceback" not in str(output)


async def test_becomes_ready_when_the_database_is_migrated(postgres, template):
    with temporary_database(postgres) as url:
        database = Database(url)
        async with AsyncExitStack() as stack:
            running = await stack.enter_async_context(run_server(make_settings(database.auth_url)))
            channel = await stack.enter_async_context(insecure_channel(f"127.0.0.1:{running.port}"))
            health = health_pb2_grpc.HealthStub(channel)
            response = await health.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
            assert response.status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert not running.is_ready.is_set()
            await asyncio.to_thread(create_schema, database, auth_service)
            await until_serving(channel)
            assert running.is_ready.is_set()


async def test_sigterm_exits_while_waiting_for_the_database(settings):
    unreachable_url = f"postgresql://auth_app:x@127.0.0.1:{find_free_port()}/nothing"
    async with process(settings, AUTH_DATABASE_URL=unreachable_url) as (child, port):
        async with insecure_channel(f"127.0.0.1:{port}") as channel:
            health = health_pb2_grpc.HealthStub(channel)
            response = await health.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
            assert response.status == health_pb2.HealthCheckResponse.NOT_SERVING
        child.send_signal(signal.SIGTERM)
        await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode == 0


async def test_database_outage_makes_calls_unavailable(settings, database):
    async with running_auth_server(settings) as auth_server:
        await auth_server.register()
        token = (await auth_server.login()).access_token
        with psycopg.connect(database.administrator_url, autocommit=True) as connection:
            connection.execute("ALTER ROLE auth_app NOLOGIN")
            try:
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'auth_app'")
                status = await refused(auth_server.me(token))
                assert status.code == grpc.StatusCode.UNAVAILABLE
                assert "postgres" not in status.message.lower()
            finally:
                connection.execute("ALTER ROLE auth_app LOGIN")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM auth.users",
        "UPDATE auth.users SET created_at = now()",
        "UPDATE auth.security_events SET kind = 'nothing'",
        "DELETE FROM auth.security_events",
        "TRUNCATE auth.security_events",
        "UPDATE auth.users SET id = gen_random_uuid()",
        "UPDATE auth.sessions SET user_id = gen_random_uuid()",
        "DELETE FROM auth.refresh_tokens",
        "UPDATE auth.refresh_tokens SET expires_at = now()",
        "DELETE FROM auth.signing_keys",
        "UPDATE auth.signing_keys SET public_key = ''",
        "UPDATE auth.revocations SET expires_at = now()",
        "INSERT INTO auth.revocations (transaction, session_id, expires_at) VALUES ('1', gen_random_uuid(), now())",
        "TRUNCATE auth.users CASCADE",
        "DROP TABLE auth.users",
        "CREATE TABLE auth.mine (id int)",
        "CREATE TABLE public.mine (id int)",
        "UPDATE auth.alembic_version SET version_num = '0001'",
        "SET ROLE auth_owner",
    ],
)
async def test_app_role_has_no_further_rights(database, statement):
    """The service's database role cannot run statements that no use case needs."""
    with psycopg.connect(database.auth_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)
