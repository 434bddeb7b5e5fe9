"""Mutual TLS on real servers: who is let in, and certificates that are renewed while calls go on."""

import asyncio
import shutil
import subprocess
import sys
import threading
from typing import Any

import grpc
import pytest
from grpc import aio
from taskmanager.imports.v1 import import_service_pb2_grpc

from chassis.rpc.client import open_channel
from chassis.rpc.client import sync_channel
from chassis.rpc.errors import read_status
from chassis.rpc.health import is_serving
from chassis.tls.reloading_channel import ReloadingChannel
from chassis.tls.reloader import CertificateReloader
from chassis.tls.files import TlsFiles
from tests.certificates import Authority
from tests.integration.auth_service.door import until
from tests.integration.chassis.tls_server import always_new, serial_of, serving
from tests.small_server import GET, WATCH, person

SECONDS = 10


@pytest.fixture
def authority():
    return Authority()


@pytest.fixture
def server_files(authority, tmp_path):
    return authority.put(tmp_path / "server")


@pytest.fixture
def client_files(authority, tmp_path):
    return authority.put(tmp_path / "client", "gateway")


@pytest.fixture
async def server(server_files):
    async with serving(server_files) as server:
        yield server


def stub_on(channel) -> "import_service_pb2_grpc.ImportServiceAsyncStub":
    return import_service_pb2_grpc.ImportServiceStub(channel)


async def ask(server, files: TlsFiles | None) -> str:
    """The certificate that the server saw on a channel of its own; AioRpcError for a connection that was refused."""
    async with open_channel(server.target, certificates=CertificateReloader.from_files(files)) as channel:
        return (await stub_on(channel).GetImport(GET, metadata=person(), timeout=SECONDS)).id


async def refused(server, files: TlsFiles | None) -> grpc.StatusCode:
    with pytest.raises(aio.AioRpcError) as caught:
        await ask(server, files)
    return caught.value.code()


async def test_a_client_with_a_certificate_of_the_authority_is_served(server, client_files):
    assert await ask(server, client_files) == serial_of(client_files.certificate.read_bytes())


async def test_a_client_without_a_certificate_is_refused(server, server_files):
    only_believes = grpc.ssl_channel_credentials(server_files.authority.read_bytes())
    async with aio.secure_channel(server.target, only_believes) as channel:
        with pytest.raises(aio.AioRpcError) as caught:
            await stub_on(channel).GetImport(GET, metadata=person(), timeout=SECONDS)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_call_in_the_clear_is_refused(server):
    assert await refused(server, None) is grpc.StatusCode.UNAVAILABLE


async def test_a_client_whose_certificate_is_another_authoritys_is_refused(server, server_files, tmp_path):
    foreign = Authority().put(tmp_path / "foreign", "gateway")
    # It believes the server, so that it is the server who refuses.
    shutil.copy(server_files.authority, foreign.authority)
    assert await refused(server, foreign) is grpc.StatusCode.UNAVAILABLE


async def test_a_server_whose_certificate_is_another_authoritys_is_not_called(client_files, tmp_path, authority):
    foreign = Authority().put(tmp_path / "foreign")
    foreign.authority.write_bytes(authority.certificate)  # it would let the client in
    async with serving(foreign) as server:
        assert await refused(server, client_files) is grpc.StatusCode.UNAVAILABLE


async def test_a_server_of_another_name_than_the_targets_is_not_called(client_files, tmp_path, authority):
    async with serving(authority.put(tmp_path / "other", "task_service")) as server:
        assert await refused(server, client_files) is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_takes_the_place_of_no_token(server, client_files):
    async with open_channel(server.target, certificates=CertificateReloader.from_files(client_files)) as channel:
        with pytest.raises(aio.AioRpcError) as caught:
            await stub_on(channel).GetImport(GET, timeout=SECONDS)
    assert read_status(caught.value).code is grpc.StatusCode.UNAUTHENTICATED


async def test_new_connections_get_new_certificates_while_an_open_stream_goes_on(
    server, server_files, client_files, authority
):
    first = serial_of(client_files.certificate.read_bytes())
    async with open_channel(server.target, certificates=always_new(client_files)) as channel:
        stub = stub_on(channel)
        watch = stub.WatchImport(WATCH, metadata=person())
        streamed = aiter(watch)
        assert (await anext(streamed)).id == first
        authority.put(server_files.certificate.parent)
        authority.put(client_files.certificate.parent, "gateway")
        # A call after the change goes over a new connection, on which both show their new certificates.
        second = serial_of(client_files.certificate.read_bytes())
        assert (await stub.GetImport(GET, metadata=person(), timeout=SECONDS)).id == second != first
        assert await server.shown() == serial_of(server_files.certificate.read_bytes())
        # The stream goes on where it began, as often as one likes.
        for _ in range(3):
            server.servicer.again.release()
            assert (await anext(streamed)).id == first
        watch.cancel()


async def test_an_earlier_connection_is_closed_when_its_last_call_has_ended(server, client_files, authority):
    async with open_channel(server.target, certificates=always_new(client_files)) as channel:
        assert isinstance(channel, ReloadingChannel)
        stub = stub_on(channel)
        watch = stub.WatchImport(WATCH, metadata=person())
        await anext(aiter(watch))
        earlier = channel._succession.newest
        authority.put(client_files.certificate.parent, "gateway")
        await stub.GetImport(GET, metadata=person(), timeout=SECONDS)
        assert earlier.get_state() is grpc.ChannelConnectivity.READY
        watch.cancel()
        await until(lambda: earlier.get_state() is grpc.ChannelConnectivity.SHUTDOWN)
        assert len(channel._succession.all()) == 1


async def test_threads_get_new_certificates_too_while_their_stream_goes_on(server, client_files, authority):
    first = serial_of(client_files.certificate.read_bytes())
    goes_on, closed = threading.Event(), threading.Event()

    def calls() -> tuple[list[str], list[str]]:
        with sync_channel(server.target, certificates=always_new(client_files)) as channel:
            stub = import_service_pb2_grpc.ImportServiceStub(channel)
            watch: Any = stub.WatchImport(WATCH, metadata=person(), timeout=60)
            streamed = [next(watch).id]
            authority.put(client_files.certificate.parent, "gateway")
            answered = [stub.GetImport(GET, metadata=person(), timeout=SECONDS).id]
            goes_on.set()
            streamed.append(next(watch).id)
            watch.add_done_callback(lambda _: closed.set())
            watch.cancel()
            assert closed.wait(SECONDS)
            # With this call the earlier channel, which has no calls any more, is closed.
            answered.append(stub.GetImport(GET, metadata=person(), timeout=SECONDS).id)
            return streamed, answered

    running = asyncio.create_task(asyncio.to_thread(calls))
    await asyncio.to_thread(goes_on.wait, SECONDS)
    server.servicer.again.release()
    streamed, answered = await running
    second = serial_of(client_files.certificate.read_bytes())
    assert (streamed, answered) == ([first, first], [second, second])


async def test_an_authority_that_is_replaced_lets_in_only_those_of_the_new_one(
    server, server_files, client_files, tmp_path
):
    assert await ask(server, client_files)
    successor = Authority()
    successor.put(server_files.certificate.parent)
    assert await refused(server, client_files) is grpc.StatusCode.UNAVAILABLE
    assert await ask(server, successor.put(tmp_path / "new", "gateway"))


async def test_a_health_check_reaches_a_server_by_whatever_address_it_has(
    client_files, tmp_path, authority, monkeypatch
):
    files = authority.put(tmp_path / "other", "task_service")
    async with serving(files) as server:
        target = f"127.0.0.1:{server.port}"
        assert not await asyncio.to_thread(is_serving, target)
        for name, path in {"CERTIFICATE": files.certificate, "KEY": files.key, "AUTHORITY": files.authority}.items():
            monkeypatch.setenv(f"TASKS_TLS_{name}_FILE", str(path))
        command = [sys.executable, "-m", "chassis.rpc.health", target]
        assert [
            (await asyncio.to_thread(subprocess.run, [*command, *prefix], check=False)).returncode
            for prefix in ([], ["TASKS"])
        ] == [1, 0]


async def test_a_health_check_finds_the_settings_where_the_server_does_in_a_folder_of_secrets_too(
    tmp_path, authority, monkeypatch
):
    files = authority.put(tmp_path / "other", "task_service")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name, path in {"CERTIFICATE": files.certificate, "KEY": files.key, "AUTHORITY": files.authority}.items():
        (secrets / f"TASKS_TLS_{name}_FILE").write_text(str(path))
    monkeypatch.setenv("SECRETS_DIR", str(secrets))
    async with serving(files) as server:
        assert await asyncio.to_thread(is_serving, f"127.0.0.1:{server.port}", "TASKS")
