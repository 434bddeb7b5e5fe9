"""Mutual TLS on real servers: who is accepted, and certificates that are replaced during calls."""

import asyncio
import shutil
import subprocess
import sys

import grpc
import pytest
from grpc import aio
from taskmanager.imports.v1 import import_service_pb2_grpc

from chassis.rpc.client import open_channel
from chassis.rpc.errors import read_status
from chassis.rpc.health import is_serving
from chassis.tls.files import TlsFiles
from chassis.tls.reloader import CertificateReloader
from chassis.tls.reloading_channel import ReloadingChannel
from tests.integration.chassis.tls_server import always_reloading, running_tls_server, serial_of
from tests.support.certificates import CertificateAuthority
from tests.support.grpc_server import GET_IMPORT, WATCH_IMPORT, user_metadata
from tests.support.waiting import until

SECONDS = 10


@pytest.fixture
def authority():
    return CertificateAuthority()


@pytest.fixture
def server_files(authority, tmp_path):
    return authority.write(tmp_path / "server")


@pytest.fixture
def client_files(authority, tmp_path):
    return authority.write(tmp_path / "client", "gateway")


@pytest.fixture
async def server(server_files):
    async with running_tls_server(server_files) as server:
        yield server


def stub_on(channel) -> "import_service_pb2_grpc.ImportServiceAsyncStub":
    return import_service_pb2_grpc.ImportServiceStub(channel)


async def call(server, files: TlsFiles | None) -> str:
    """Call on a new channel; return the certificate that the server saw. Raises AioRpcError if it refuses."""
    async with open_channel(server.target, certificates=CertificateReloader.from_files(files)) as channel:
        return (await stub_on(channel).GetImport(GET_IMPORT, metadata=user_metadata(), timeout=SECONDS)).id


async def refused_code(server, files: TlsFiles | None) -> grpc.StatusCode:
    with pytest.raises(aio.AioRpcError) as caught:
        await call(server, files)
    return caught.value.code()


async def test_client_certificate_of_the_authority_is_accepted(server, client_files):
    assert await call(server, client_files) == serial_of(client_files.certificate.read_bytes())


async def test_client_without_certificate_is_refused(server, server_files):
    without_certificate = grpc.ssl_channel_credentials(server_files.authority.read_bytes())
    async with aio.secure_channel(server.target, without_certificate) as channel:
        with pytest.raises(aio.AioRpcError) as caught:
            await stub_on(channel).GetImport(GET_IMPORT, metadata=user_metadata(), timeout=SECONDS)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_plaintext_call_is_refused(server):
    assert await refused_code(server, None) is grpc.StatusCode.UNAVAILABLE


async def test_client_of_another_authority_is_refused(server, server_files, tmp_path):
    foreign = CertificateAuthority().write(tmp_path / "foreign", "gateway")
    # The client trusts the server, so that only the server can refuse.
    shutil.copy(server_files.authority, foreign.authority)
    assert await refused_code(server, foreign) is grpc.StatusCode.UNAVAILABLE


async def test_server_of_another_authority_is_refused(client_files, tmp_path, authority):
    foreign = CertificateAuthority().write(tmp_path / "foreign")
    foreign.authority.write_bytes(authority.certificate)  # the server would accept the client
    async with running_tls_server(foreign) as server:
        assert await refused_code(server, client_files) is grpc.StatusCode.UNAVAILABLE


async def test_server_with_another_name_is_refused(client_files, tmp_path, authority):
    async with running_tls_server(authority.write(tmp_path / "other", "task_service")) as server:
        assert await refused_code(server, client_files) is grpc.StatusCode.UNAVAILABLE


async def test_client_certificate_replaces_no_token(server, client_files):
    async with open_channel(server.target, certificates=CertificateReloader.from_files(client_files)) as channel:
        with pytest.raises(aio.AioRpcError) as caught:
            await stub_on(channel).GetImport(GET_IMPORT, timeout=SECONDS)
    assert read_status(caught.value).code is grpc.StatusCode.UNAUTHENTICATED


async def test_rotation_keeps_open_streams(server, server_files, client_files, authority):
    """New connections use the new certificates, while an open stream continues on its old connection."""
    first = serial_of(client_files.certificate.read_bytes())
    async with open_channel(server.target, certificates=always_reloading(client_files)) as channel:
        stub = stub_on(channel)
        watch = stub.WatchImport(WATCH_IMPORT, metadata=user_metadata())
        streamed = aiter(watch)
        assert (await anext(streamed)).id == first
        authority.write(server_files.certificate.parent)
        authority.write(client_files.certificate.parent, "gateway")
        # A call after the change uses a new connection, on which both present their new certificates.
        second = serial_of(client_files.certificate.read_bytes())
        assert (await stub.GetImport(GET_IMPORT, metadata=user_metadata(), timeout=SECONDS)).id == second != first
        assert await server.presented_serial() == serial_of(server_files.certificate.read_bytes())
        # The stream stays on its connection.
        for _ in range(3):
            server.servicer.release_watch.release()
            assert (await anext(streamed)).id == first
        watch.cancel()


async def test_rotation_closes_old_connection_after_last_call(server, client_files, authority):
    async with open_channel(server.target, certificates=always_reloading(client_files)) as channel:
        assert isinstance(channel, ReloadingChannel)
        stub = stub_on(channel)
        watch = stub.WatchImport(WATCH_IMPORT, metadata=user_metadata())
        await anext(aiter(watch))
        earlier = channel._rotation.newest
        authority.write(client_files.certificate.parent, "gateway")
        await stub.GetImport(GET_IMPORT, metadata=user_metadata(), timeout=SECONDS)
        assert earlier.get_state() is grpc.ChannelConnectivity.READY
        watch.cancel()
        await until(lambda: earlier.get_state() is grpc.ChannelConnectivity.SHUTDOWN)
        assert len(channel._rotation.all()) == 1


async def test_replaced_authority_admits_only_new_certificates(server, server_files, client_files, tmp_path):
    assert await call(server, client_files)
    successor = CertificateAuthority()
    successor.write(server_files.certificate.parent)
    assert await refused_code(server, client_files) is grpc.StatusCode.UNAVAILABLE
    assert await call(server, successor.write(tmp_path / "new", "gateway"))


async def test_health_check_works_for_every_server_name(client_files, tmp_path, authority, monkeypatch):
    """A health check of the same host ignores the name in the server's certificate."""
    files = authority.write(tmp_path / "other", "task_service")
    async with running_tls_server(files) as server:
        target = f"127.0.0.1:{server.port}"
        assert not await asyncio.to_thread(is_serving, target)
        for name, path in {"CERTIFICATE": files.certificate, "KEY": files.key, "AUTHORITY": files.authority}.items():
            monkeypatch.setenv(f"TASKS_TLS_{name}_FILE", str(path))
        command = [sys.executable, "-m", "chassis.rpc.health", target]
        assert [
            (await asyncio.to_thread(subprocess.run, [*command, *prefix], check=False)).returncode
            for prefix in ([], ["TASKS"])
        ] == [1, 0]


@pytest.mark.parametrize(
    ("arguments", "status"), [([], 2), (["127.0.0.1:1", "TASKS"], 1), (["\udcff"], 1)], ids=["none", "tls", "bytes"]
)
def test_impossible_health_check_is_explained(monkeypatch, arguments, status):
    """A missing argument, an unreadable certificate and a target that is no text are no tracebacks."""
    monkeypatch.setenv("TASKS_TLS_CERTIFICATE_FILE", "/missing")
    command = [sys.executable, "-m", "chassis.rpc.health", *arguments]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (ended.returncode, "Traceback" in ended.stderr, ended.stderr != "") == (status, False, True)


async def test_health_check_reads_settings_from_secrets_dir(tmp_path, authority, monkeypatch):
    files = authority.write(tmp_path / "other", "task_service")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name, path in {"CERTIFICATE": files.certificate, "KEY": files.key, "AUTHORITY": files.authority}.items():
        (secrets / f"TASKS_TLS_{name}_FILE").write_text(str(path))
    monkeypatch.setenv("SECRETS_DIR", str(secrets))
    async with running_tls_server(files) as server:
        assert await asyncio.to_thread(is_serving, f"127.0.0.1:{server.port}", "TASKS")
