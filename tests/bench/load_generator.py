"""Load of HTTP requests, from a process of its own.

    python -m tests.bench.load_generator < load.json

It reads a Load from stdin and writes an Outcome to stdout, both as JSON. Connections are spread over the addresses
127.0.0.2 and up, because a gateway limits the connections of one address.
"""

import asyncio
import base64
import itertools
import json
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CONNECTIONS_PER_ADDRESS = 100
_TICK_SECONDS = 0.001
_RECONNECT_SECONDS = 0.05
NO_RESPONSE = "none"
"""Status of a request whose connection closed before its response."""
UNSENT = "unsent"
"""Status of a request for which no connection was free: all of them still wait for a response."""


@dataclass(frozen=True)
class Load:
    """Requests, which are sent in turn. With a rate it is an open loop, otherwise a closed one. Nothing is retried."""

    host: str
    port: int
    requests: Sequence[str]
    """Bytes of each request, in base64."""
    connections: int
    seconds: float
    rate: float | None = None
    """Requests a second, sent whether responses arrive or not."""


@dataclass
class Outcome:
    """Responses: their number by status, and the seconds that each took."""

    statuses: dict[str, int] = field(default_factory=dict)
    seconds_by_status: dict[str, list[float]] = field(default_factory=dict)
    sent: int = 0
    elapsed_seconds: float = 0.0
    cpu_seconds: float = 0.0
    """CPU time of this process."""
    max_lag_seconds: float = 0.0
    """Maximum delay of a tick: the generator itself got no CPU for so long."""


class _Connection(asyncio.Protocol):
    def __init__(self, generator: "_Generator") -> None:
        self._generator = generator
        self._transport: asyncio.Transport | None = None
        self._sent_at: float | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._generator.on_idle(self)

    def send(self, request: bytes) -> None:
        assert self._transport
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        length = _LENGTH.search(self._received, 0, head_end)
        assert length, self._received
        if len(self._received) < head_end + 4 + int(length[1]):
            return
        is_last = b"\r\nconnection: close" in self._received[:head_end]
        self._finish(self._received[9:12].decode())
        self._received = b""
        if is_last and self._transport:
            self._transport.close()
        else:
            self._generator.on_idle(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the interface
        self._finish(NO_RESPONSE)
        self._generator.on_lost(self)

    def _finish(self, status: str) -> None:
        if self._sent_at is not None:
            self._generator.record(status, time.perf_counter() - self._sent_at)
            self._sent_at = None


class _Generator:
    def __init__(self, load: Load) -> None:
        self._load = load
        self._requests = itertools.cycle([base64.b64decode(request) for request in load.requests])
        self._idle: deque[_Connection] = deque()
        self._is_running = False
        self._connecting: set[asyncio.Task[None]] = set()
        self._statuses: Counter[str] = Counter()
        self._outcome = Outcome()

    async def run(self) -> Outcome:
        for number in range(self._load.connections):
            await self._connect(number)
        cpu_before, began = time.process_time(), time.perf_counter()
        self._is_running = True
        if self._load.rate is None:
            for connection in [*self._idle]:
                self.on_idle(connection)
            await asyncio.sleep(self._load.seconds)
        else:
            await self._send_at_rate(self._load.rate, began)
        self._is_running = False
        outcome = self._outcome
        outcome.elapsed_seconds = time.perf_counter() - began
        outcome.cpu_seconds = time.process_time() - cpu_before
        outcome.statuses = dict(self._statuses)
        return outcome

    async def _send_at_rate(self, rate: float, began: float) -> None:
        due, last_tick = 0, began
        while (now := time.perf_counter()) < began + self._load.seconds:
            self._outcome.max_lag_seconds = max(self._outcome.max_lag_seconds, now - last_tick - _TICK_SECONDS)
            last_tick = now
            while due < (now - began) * rate:
                due += 1
                if self._idle:
                    self._send(self._idle.popleft())
                else:
                    self._statuses[UNSENT] += 1
            await asyncio.sleep(_TICK_SECONDS)

    def _send(self, connection: _Connection) -> None:
        self._outcome.sent += 1
        connection.send(next(self._requests))

    def on_idle(self, connection: _Connection) -> None:
        if self._is_running and self._load.rate is None:
            self._send(connection)
        else:
            self._idle.append(connection)

    def on_lost(self, connection: _Connection) -> None:
        with suppress(ValueError):
            self._idle.remove(connection)
        if self._is_running:
            task = asyncio.get_running_loop().create_task(self._reconnect())
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    def record(self, status: str, seconds: float) -> None:
        if self._is_running:
            self._statuses[status] += 1
            self._outcome.seconds_by_status.setdefault(status, []).append(seconds)

    async def _connect(self, number: int) -> None:
        address = f"127.0.0.{2 + number // _CONNECTIONS_PER_ADDRESS}"
        loop = asyncio.get_running_loop()
        await loop.create_connection(
            lambda: _Connection(self), self._load.host, self._load.port, local_addr=(address, 0)
        )

    async def _reconnect(self) -> None:
        await asyncio.sleep(_RECONNECT_SECONDS)
        with suppress(OSError):
            await self._connect(self._outcome.sent % self._load.connections)


def main() -> None:
    load = Load(**json.load(sys.stdin))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(_Generator(load).run())
    json.dump(asdict(outcome), sys.stdout)


async def generate_load(load: Load) -> Outcome:
    """Run the generator as a process and return its outcome."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        output, _ = await process.communicate(json.dumps(asdict(load)).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    return Outcome(**json.loads(output))


if __name__ == "__main__":
    main()
