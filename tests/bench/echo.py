"""The floor: a bare grpc.aio server that responds with prepared messages.

    python -m tests.bench.echo ADDRESS FILE

FILE holds the response to ListTasks; its first task is the response to the other two calls. Without interceptors and
database only the parsing and serialising of messages remains. GetTask of HELD_ID gets no response.
"""

import asyncio
import sys
from pathlib import Path

import grpc
from google.protobuf.message_factory import GetMessageClass
from grpc import aio
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

HELD_ID = "held"


async def serve(address: str, page: task_service_pb2.ListTasksResponse) -> None:
    async def respond_with_task(request: object, context: object) -> task_pb2.Task:
        if isinstance(request, task_service_pb2.GetTaskRequest) and request.id == HELD_ID:
            await asyncio.Event().wait()
        return page.tasks[0]

    async def respond_with_page(request: object, context: object) -> task_service_pb2.ListTasksResponse:
        return page

    server = aio.server(options=[("grpc.so_reuseport", 0)])
    service = task_service_pb2.DESCRIPTOR.services_by_name["TaskService"]
    handlers = {
        method.name: grpc.unary_unary_rpc_method_handler(
            respond_with_page if method.name == "ListTasks" else respond_with_task,
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )
        for method in service.methods
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], task_service_pb2.ListTasksResponse.FromString(Path(sys.argv[2]).read_bytes())))
