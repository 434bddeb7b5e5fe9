"""Limit of concurrent streams in task_service, as its settings say."""

import grpc
from pydantic import SecretStr
from taskmanager.auth.v1 import auth_service_pb2, auth_service_pb2_grpc
from taskmanager.tasks.v1 import (
    history_service_pb2,
    history_service_pb2_grpc,
    task_service_pb2,
    task_service_pb2_grpc,
)

import task_service.server
from task_service.settings import TasksSettings
from tests.support.grpc_calls import bearer, refused
from tests.support.system import ANY_PORT, PASSWORD, new_credential, running_auth_service


async def test_excess_stream_is_refused_but_calls_succeed(database, redis_url, tmp_path):
    async with running_auth_service(database) as (auth_target, use_cases):
        settings = TasksSettings(
            listen=ANY_PORT,
            database_url=SecretStr(database.tasks_url),
            redis_url=SecretStr(redis_url),
            store_url=(tmp_path / "uploads").as_uri(),
            auth_target=auth_target,
            auth_credential=SecretStr(await new_credential(use_cases, "task_service", "trust:read", "users:read")),
            drain_seconds=0.1,
            max_concurrent_streams=1,
        )
        async with (
            task_service.server.run_server(settings) as server,
            grpc.aio.insecure_channel(auth_target) as to_auth,
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as to_tasks,
        ):
            await server.is_ready.wait()
            auth = auth_service_pb2_grpc.AuthServiceStub(to_auth)
            email = "sonu@example.com"
            await auth.Register(auth_service_pb2.RegisterRequest(username="sonu", email=email, password=PASSWORD))
            login = await auth.Login(auth_service_pb2.LoginRequest(email=email, password=PASSWORD))
            metadata = bearer(login.access_token)
            history = history_service_pb2_grpc.HistoryServiceStub(to_tasks)
            watch = history_service_pb2.WatchEventsRequest()
            first = history.WatchEvents(watch, metadata=metadata, timeout=30)
            await first.read()  # the first message says that the stream is open
            excess = history.WatchEvents(watch, metadata=metadata, timeout=30)
            assert (await refused(excess.read())).reason == "OVERLOADED"
            tasks = task_service_pb2_grpc.TaskServiceStub(to_tasks)
            await tasks.ListTasks(task_service_pb2.ListTasksRequest(), metadata=metadata, timeout=30)
            assert not first.done()
            first.cancel()
