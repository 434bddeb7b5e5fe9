"""Load of one request by wrk, and the figures that it prints."""

import asyncio
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.peers.application import PeerUnavailable, Request

CONNECTIONS = 8

_RATE = re.compile(r"^Requests/sec:\s+([\d.]+)$", re.MULTILINE)
_REQUESTS = re.compile(r"^\s*(\d+) requests in ", re.MULTILINE)
_SOCKET_ERRORS = re.compile(r"^\s*Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$", re.MULTILINE)
_BAD_STATUSES = re.compile(r"^\s*Non-2xx or 3xx responses: (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Load:
    """Outcome of one run of wrk."""

    rate: float
    """Requests a second."""
    requests: int
    errors: int
    """Responses that are no success, and connections that failed."""


def parse_output(output: str) -> Load:
    """Return the figures of wrk's output. Raise ValueError for another text."""
    rate, requests = _RATE.search(output), _REQUESTS.search(output)
    if not rate or not requests:
        raise ValueError(f"This is no output of wrk: {output!r}")
    socket_errors, bad_statuses = _SOCKET_ERRORS.search(output), _BAD_STATUSES.search(output)
    errors = sum(int(number) for found in (socket_errors, bad_statuses) if found for number in found.groups())
    return Load(float(rate[1]), int(requests[1]), errors)


def is_installed() -> bool:
    return shutil.which("wrk") is not None


async def run_wrk(url: str, request: Request, *, seconds: int) -> Load:
    """Send the request over eight connections, each with its next request as soon as it has its response.

    Raise PeerUnavailable if wrk can't connect.
    """
    with TemporaryDirectory(prefix="taskmanager-wrk-") as folder:
        script = Path(folder) / "request.lua"
        script.write_text(_lua(request), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *("wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s"),
            *("--script", str(script), url + request.path),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode != 0:
        raise PeerUnavailable(f"wrk can't reach {url}: {output.decode().strip()}")
    return parse_output(output.decode())


def _lua(request: Request) -> str:
    """Return a script that sets the request. A script without a function costs wrk nothing for each request."""
    lines = [f'wrk.method = "{request.method}"', f"wrk.body = [==[{request.body.decode()}]==]" if request.body else ""]
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in request.headers.items()]
    return "\n".join(lines) + "\n"
