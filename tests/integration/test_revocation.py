"""Revocations at auth_service end calls and open streams at task_service within seconds."""

import asyncio

import grpc
import pytest
from taskmanager.auth.v1 import (
    auth_service_pb2,
    auth_service_pb2_grpc,
    service_account_service_pb2,
    service_account_service_pb2_grpc,
    user_service_pb2,
    user_service_pb2_grpc,
)
from taskmanager.imports.v1 import import_ingest_service_pb2, import_ingest_service_pb2_grpc, import_service_pb2
from taskmanager.tasks.v1 import task_service_pb2

from chassis.kernel.pagination import PageRequest
from chassis.rpc.client import open_channel
from chassis.rpc.errors import read_status
from chassis.rpc.service_token import TokenSource
from tests.support.grpc_calls import bearer, until_refused
from tests.support.system import PASSWORD, new_credential

FILE = b"title\nBuy milk\n"
REVOKED = (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED")


async def upload():
    yield import_service_pb2.UploadImportRequest(options=import_service_pb2.UploadOptions(file_name="tasks.csv"))
    yield import_service_pb2.UploadImportRequest(chunk=FILE)
    yield import_service_pb2.UploadImportRequest(finish=import_service_pb2.UploadFinish(size=len(FILE)))


async def final_status(stream):
    """Return the status and the reason with which a stream ends."""
    try:
        async with asyncio.timeout(20):
            async for _ in stream:
                pass
    except grpc.aio.AioRpcError as error:
        status = read_status(error)
        return status.code, status.reason
    raise AssertionError("the stream ended without an error")


async def until_calls_are_refused(system, user) -> tuple[grpc.StatusCode, str]:
    request = task_service_pb2.ListTasksRequest()
    status = await until_refused(lambda: system.tasks.ListTasks(request, metadata=user.metadata))
    return status.code, status.reason


async def open_watch(system, user):
    """Open a stream that stays open: its import waits for a worker."""
    created = await system.imports.UploadImport(upload(), metadata=user.metadata)
    stream = system.imports.WatchImport(import_service_pb2.WatchImportRequest(id=created.id), metadata=user.metadata)
    await anext(aiter(stream))
    return stream


async def test_logout_ends_calls_and_streams_of_task_service(system):
    user, other = await system.new_user("sonu"), await system.new_user("mona")
    own_watch, other_watch = await open_watch(system, user), await open_watch(system, other)
    await system.auth.Logout(auth_service_pb2.LogoutRequest(), metadata=user.metadata)
    assert await final_status(own_watch) == REVOKED
    assert await until_calls_are_refused(system, user) == REVOKED
    await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(), metadata=other.metadata)
    assert not other_watch.done()
    other_watch.cancel()


async def test_password_change_ends_streams_of_all_sessions(system):
    user = await system.new_user("sonu")
    stream = await open_watch(system, user)
    request = user_service_pb2.ChangePasswordRequest(current_password=PASSWORD, new_password="another horse battery")
    async with grpc.aio.insecure_channel(system.auth_target) as channel:
        changed = await user_service_pb2_grpc.UserServiceStub(channel).ChangePassword(request, metadata=user.metadata)
    assert await final_status(stream) == REVOKED
    fresh = bearer(changed.access_token)
    await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(), metadata=fresh)


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
async def test_service_renews_a_revoked_token(system, stream):
    """A service whose token was revoked takes a new one with its next call."""
    credential = await new_credential(system.use_cases, "worker", "imports:ingest")
    issued = []

    async def issue():
        request = auth_service_pb2.IssueServiceTokenRequest(credential=credential)
        async with open_channel(system.auth_target) as channel:
            response = await auth_service_pb2_grpc.AuthServiceStub(channel).IssueServiceToken(request, timeout=10)
        issued.append(response.access_token)
        return response.access_token, float(response.expires_in)

    claim = import_ingest_service_pb2.ClaimNextImportRequest(worker="test")
    token = TokenSource(issue=issue)

    async def call_status():
        try:
            async with token.authorize() as metadata:
                if stream:
                    async for _ in stub.IngestRows(iter(()), metadata=metadata, timeout=10):
                        pass
                else:
                    await stub.ClaimNextImport(claim, metadata=metadata, timeout=10)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    async with open_channel(system.tasks_target) as channel:
        stub = import_ingest_service_pb2_grpc.ImportIngestServiceStub(channel)
        accepted = await call_status()
        assert accepted is not grpc.StatusCode.UNAUTHENTICATED
        page = await system.use_cases.service_accounts.list_service_accounts(PageRequest.parse(0, "", query=""))
        account_id, admin = str(page.items[0].id), await system.new_admin()
        async with open_channel(system.auth_target) as auth_channel:
            accounts = service_account_service_pb2_grpc.ServiceAccountServiceStub(auth_channel)
            disable = service_account_service_pb2.DisableServiceAccountRequest(id=account_id)
            await accounts.DisableServiceAccount(disable, metadata=admin.metadata)
            enable = service_account_service_pb2.EnableServiceAccountRequest(id=account_id)
            await accounts.EnableServiceAccount(enable, metadata=admin.metadata)
        async with asyncio.timeout(20):
            while await call_status() is not grpc.StatusCode.UNAUTHENTICATED:
                pass
        # The refused call discarded the token. The next call has a new one, long before the old one expires.
        assert await call_status() is accepted
    assert len(issued) == 2
