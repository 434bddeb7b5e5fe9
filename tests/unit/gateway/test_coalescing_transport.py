"""The transport of a connection, with a fake socket below it."""

import asyncio

import pytest

from gateway.transport.http.coalescing_transport import CoalescingTransport


class FakeSocketTransport(asyncio.Transport):
    """Transport that records what it would do with its socket."""

    def __init__(self) -> None:
        super().__init__()
        self.actions: list[bytes | str] = []
        self.unsent_bytes = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.actions.append(bytes(data))

    def close(self) -> None:
        self.actions.append("close")

    def write_eof(self) -> None:
        self.actions.append("eof")

    def abort(self) -> None:
        self.actions.append("abort")

    def get_write_buffer_size(self) -> int:
        return self.unsent_bytes

    def is_closing(self) -> bool:
        return "close" in self.actions or "abort" in self.actions


@pytest.fixture
def socket() -> FakeSocketTransport:
    return FakeSocketTransport()


@pytest.fixture
async def transport(socket: FakeSocketTransport) -> CoalescingTransport:
    return CoalescingTransport(socket, asyncio.get_running_loop())


async def _end_turn() -> None:
    """Wait for the end of the event loop's turn."""
    ended = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(ended.set_result, None)
    await ended


async def test_head_and_body_leave_in_one_write(transport, socket):
    """The head of a response and its body leave in one system call."""
    transport.write(b"head")
    transport.write(b"body")
    assert socket.actions == [b"headbody"]
    await _end_turn()
    assert socket.actions == [b"headbody"]


async def test_head_alone_leaves_in_the_same_turn(transport, socket):
    """The head of a stream, whose first message comes later, leaves at the end of the turn; so does the next one's."""
    for head in (b"first", b"second"):
        transport.write(head)
        await _end_turn()
        assert socket.actions[-1] == head


async def test_write_now_keeps_the_order(transport, socket):
    """Data that does not wait follows the data that was held."""
    transport.write(b"held")
    transport.write_now(b"now")
    assert socket.actions == [b"heldnow"]


@pytest.mark.parametrize(("end", "action"), [("close", "close"), ("write_eof", "eof")])
async def test_end_sends_what_is_held(transport, socket, end, action):
    """The end of a connection, or of its sending half, loses no data."""
    transport.write(b"held")
    getattr(transport, end)()
    await _end_turn()
    assert socket.actions == [b"held", action]


async def test_abort_sends_nothing(transport, socket):
    """A connection that is cut gets no further data."""
    transport.write(b"held")
    transport.abort()
    await _end_turn()
    assert socket.actions == ["abort"]


async def test_sent_bytes_are_those_that_have_left(transport, socket):
    """Neither what is held nor what waits in the buffer of the socket counts."""
    transport.write(b"head")
    assert transport.sent_bytes == 0
    transport.write(b"body")
    socket.unsent_bytes = 3
    assert transport.sent_bytes == 5
    transport.write(b"more")
    await _end_turn()
    assert transport.sent_bytes == 9
