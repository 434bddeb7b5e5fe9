"""Programs that are started with wrong settings or without their servers, and end."""

import asyncio
import os
import sys

from deploy.local.host.free_ports import find_free_port

PASSWORD = "canary-in-the-mine"
NOWHERE = f"127.0.0.1:{find_free_port()}"
POSTGRES = f"postgresql://role:{PASSWORD}@{NOWHERE}/db"
UNREACHABLE_SERVERS = {
    "auth_service": {
        "AUTH_DATABASE_URL": POSTGRES,
        "AUTH_KEY_ENCRYPTION_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "AUTH_LISTEN": "127.0.0.1:0",
        "AUTH_START_TIMEOUT_SECONDS": "0.5",
    },
    "task_service": {
        "TASKS_DATABASE_URL": POSTGRES,
        "TASKS_REDIS_URL": f"redis://:{PASSWORD}@{NOWHERE}/0",
        "TASKS_STORE_URL": "s3://bucket/uploads",
        "TASKS_AUTH_TARGET": NOWHERE,
        "TASKS_AUTH_CREDENTIAL": f"tasks.{PASSWORD}",
        "TASKS_LISTEN": "127.0.0.1:0",
        "TASKS_START_TIMEOUT_SECONDS": "0.5",
        "AWS_ENDPOINT": f"http://{NOWHERE}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": PASSWORD,
    },
}
"""Settings of services, by module, whose servers do not respond."""


async def run(module: str, environment: dict[str, str], *arguments: str) -> tuple[int | None, str]:
    """Run a program to its end. Return its exit status and its output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, output.decode()
