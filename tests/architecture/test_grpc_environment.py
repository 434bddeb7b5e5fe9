"""Environment of gRPC's C core in the processes of the services."""

import os
import re
import subprocess
import sys

from deploy.local.host.repository import REPOSITORY_ROOT
from deploy.local.services.python_process import GRPC_ENVIRONMENT

_CALL = """
import asyncio
from grpc import aio

async def main():
    server = aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await channel.channel_ready()
    await server.stop(0)

asyncio.run(main())
"""


def test_images_have_the_environment_of_the_local_stack():
    """The tests run with it too, because what differs between them and the images is not tested."""
    dockerfile = (REPOSITORY_ROOT / "deploy" / "docker" / "Dockerfile").read_text()
    assert dict(re.findall(r"\b(GRPC_\w+)=(\S+)", dockerfile)) == GRPC_ENVIRONMENT
    assert os.environ["GRPC_EXPERIMENTS"] == GRPC_ENVIRONMENT["GRPC_EXPERIMENTS"]


def test_grpc_knows_the_experiments():
    """A release of gRPC without one of them would log an error at each start, and be slower or different."""
    environment = os.environ | GRPC_ENVIRONMENT | {"GRPC_VERBOSITY": "ERROR"}
    completed = subprocess.run(
        [sys.executable, "-c", _CALL], env=environment, capture_output=True, text=True, check=True
    )
    assert completed.stderr == ""
