"""The floor of the gateway: uvicorn with a few lines that call a service and send prepared bytes.

    python -m tests.bench.bare_gateway PORT TARGET FILE

FILE holds the response to ListTasks. Routing, checks, limits, metrics, logs and transcoding are left out: the requests
are fixed messages, and the bodies were encoded before.
"""

import sys
from pathlib import Path
from typing import Any

import uvicorn
from grpc import aio
from taskmanager.tasks.v1 import task_service_pb2, task_service_pb2_grpc

from gateway.transcoding.json_codec.encoder import Encoders, to_json

AUTHORIZATION = b"authorization"


class BareGateway:
    """ASGI application with the three measured calls."""

    def __init__(self, target: str, page: task_service_pb2.ListTasksResponse) -> None:
        self._target = target
        encoders = Encoders()
        self._page = to_json(encoders.get(page.DESCRIPTOR)(page))
        self._task = to_json(encoders.get(page.tasks[0].DESCRIPTOR)(page.tasks[0]))
        self._stub: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._stub is None:
            self._stub = task_service_pb2_grpc.TaskServiceStub(aio.insecure_channel(self._target))
        metadata = tuple(
            (AUTHORIZATION.decode(), value.decode()) for name, value in scope["headers"] if name == AUTHORIZATION
        )
        if scope["method"] == "POST":
            await receive()
            await self._stub.CreateTask(task_service_pb2.CreateTaskRequest(), metadata=metadata)
            body = self._task
        elif scope["query_string"]:
            await self._stub.ListTasks(task_service_pb2.ListTasksRequest(), metadata=metadata)
            body = self._page
        else:
            await self._stub.GetTask(task_service_pb2.GetTaskRequest(), metadata=metadata)
            body = self._task
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def main() -> None:
    port, target, file = sys.argv[1:]
    page = task_service_pb2.ListTasksResponse.FromString(Path(file).read_bytes())
    app = BareGateway(target, page)
    uvicorn.run(app, host="127.0.0.1", port=int(port), loop="uvloop", lifespan="off", access_log=False)


if __name__ == "__main__":
    main()
