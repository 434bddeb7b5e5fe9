"""Compressed uploads: decompressed while streaming, limited by the decompressed size, complete or rejected."""

import asyncio
import gzip
import random
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.transport.errors.http_errors import HttpError
from gateway.transport.upload import gzip_body
from gateway.transport.upload.gzip_body import decompress, max_compressed_size

pytestmark = pytest.mark.usefixtures("upload_messages")

CSV = b"title\n" + b"".join(b"Task %d\n" % number for number in range(50_000))
COMPRESSED = gzip.compress(CSV, mtime=0)
HEADERS = {"content-type": "text/csv", "content-encoding": "gzip"}
MAX_UPLOAD_BYTES = 3_000_000  # the setting of the gateway in conftest.py


def content_of(upload_messages) -> bytes:
    return b"".join(message.chunk for message in upload_messages)


def is_finished(upload_messages) -> bool:
    return any(message.WhichOneof("message") == "finish" for message in upload_messages)


@pytest.mark.parametrize("encoding", ["gzip", "GZip", "x-gzip"])
async def test_gzip_body_arrives_decompressed(rest, upload_messages, encoding):
    response = await rest.post("/api/v1/imports", content=COMPRESSED, headers={**HEADERS, "content-encoding": encoding})
    assert response.status_code == 202, response.text
    assert content_of(upload_messages) == CSV
    assert response.json()["bytes_total"] == len(CSV)


async def test_several_gzip_members_are_one_file(rest, upload_messages):
    content = COMPRESSED + gzip.compress(b"") + gzip.compress(b"the last\n")
    assert (await rest.post("/api/v1/imports", content=content, headers=HEADERS)).status_code == 202
    assert content_of(upload_messages) == CSV + b"the last\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        CSV,
        COMPRESSED[:1],
        COMPRESSED[: len(COMPRESSED) // 2],
        COMPRESSED[:-8],
        COMPRESSED[:-1],
        COMPRESSED[:1000] + b"\0\0\0\0" + COMPRESSED[1004:],
        COMPRESSED[:-8] + b"\0" * 8,
        COMPRESSED + b"garbage",
        COMPRESSED + b"\x1f",
        COMPRESSED + COMPRESSED[:20],
        zlib.compress(CSV),
    ],
    ids=range(12),
)
async def test_damaged_gzip_is_400(rest, upload_messages, content):
    """A gzip body that is damaged or truncated is a 400, and no finished upload."""
    response = await rest.post("/api/v1/imports", content=content, headers=HEADERS)
    assert response.status_code == 400
    assert [detail["reason"] for detail in response.json()["error"]["details"]] == ["MALFORMED_GZIP"]
    assert not is_finished(upload_messages)


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "nonsense"])
async def test_other_content_encoding_is_415(rest, services, encoding):
    """An unsupported Content-Encoding is a 415 that names the supported one."""
    response = await rest.post("/api/v1/imports", content=COMPRESSED, headers={**HEADERS, "content-encoding": encoding})
    assert (response.status_code, response.headers["accept-encoding"]) == (415, "gzip")
    assert not services.received(response)


async def test_compressed_form_is_415(rest, services):
    headers = {"content-type": "multipart/form-data; boundary=limit", "content-encoding": "gzip"}
    response = await rest.post("/api/v1/imports", content=COMPRESSED, headers=headers)
    assert (response.status_code, response.headers["accept-encoding"]) == (415, "identity")
    assert not services.received(response)


async def test_limit_applies_to_the_decompressed_file(rest, upload_messages):
    responses = [
        await rest.post("/api/v1/imports", content=gzip.compress(b"x" * size), headers=HEADERS)
        for size in (MAX_UPLOAD_BYTES, MAX_UPLOAD_BYTES + 1)
    ]
    assert [response.status_code for response in responses] == [202, 413]
    assert responses[1].json()["error"]["details"][0]["reason"] == "FILE_TOO_LARGE"


async def test_incompressible_file_at_the_limit_is_accepted(rest, upload_messages):
    """Incompressible data grows by a few bytes, which the limit allows for."""
    content = random.Random(1).randbytes(MAX_UPLOAD_BYTES)  # noqa: S311 - bytes without a pattern
    for level in (0, 9):
        assert len(content) < len(gzip.compress(content, level)) <= max_compressed_size(MAX_UPLOAD_BYTES)
        response = await rest.post("/api/v1/imports", content=gzip.compress(content, level), headers=HEADERS)
        assert response.status_code == 202


def gzip_bomb(size: int) -> bytes:
    """Compress `size` zeros, about a thousandfold."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1024 * 1024)
    return b"".join(compressor.compress(block) for _ in range(size // len(block))) + compressor.flush()


async def test_gzip_bomb_is_413_and_not_held_in_memory(rest, upload_messages):
    content = gzip_bomb(1024**3)
    assert len(content) < MAX_UPLOAD_BYTES
    tracemalloc.start()
    try:
        response = await rest.post("/api/v1/imports", content=content, headers=HEADERS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert response.status_code == 413
    assert not is_finished(upload_messages)
    assert len(content_of(upload_messages)) <= MAX_UPLOAD_BYTES
    # Gateway, client and service run in this process, and `upload_messages` alone holds up to the limit.
    assert peak < 8 * MAX_UPLOAD_BYTES


class CountedZlib:
    """The module zlib, counting the decompressors, their calls and the bytes that go in and out."""

    MAX_WBITS = zlib.MAX_WBITS
    error = zlib.error

    def __init__(self) -> None:
        self.members = self.calls = self.input_bytes = self.copied_bytes = 0

    def decompressobj(self, wbits: int) -> "CountedZlib.Member":
        self.members += 1
        return CountedZlib.Member(self, wbits)

    class Member:
        def __init__(self, counts: "CountedZlib", wbits: int) -> None:
            self._counts = counts
            self._member = zlib.decompressobj(wbits)

        def decompress(self, data: bytes, max_length: int) -> bytes:
            self._counts.calls += 1
            self._counts.input_bytes += len(data)
            output = self._member.decompress(data, max_length)
            self._counts.copied_bytes += len(self._member.unused_data) + len(self._member.unconsumed_tail)
            return output

        def __getattr__(self, name: str) -> object:
            return getattr(self._member, name)


@pytest.fixture
def zlib_counts(monkeypatch) -> CountedZlib:
    counts = CountedZlib()
    monkeypatch.setattr(gzip_body, "zlib", counts)
    return counts


EMPTY_MEMBER = gzip.compress(b"", mtime=0)
EMPTY_BLOCK = b"\0\0\0\xff\xff"


@pytest.mark.parametrize(
    "content",
    [
        EMPTY_MEMBER * 1_000_000,
        gzip.compress(b"x", mtime=0) * 900_000,
        b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + EMPTY_BLOCK * 4_000_000,
        b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"a long name" * 2_000_000,
    ],
    ids=["empty members", "tiny members", "empty blocks", "a long name"],
)
async def test_gzip_without_content_is_rejected_early(zlib_counts, content):
    """20 MB of gzip with hardly any content are rejected after their first bytes, and no byte is copied often."""
    with pytest.raises(HttpError) as raised:
        async for _ in decompress(split(content, [])):
            pass
    assert raised.value.details[0].reason == "MALFORMED_GZIP"
    assert zlib_counts.members < 6000
    assert zlib_counts.calls < 10_000
    assert zlib_counts.copied_bytes < 60_000_000


async def test_work_for_members_is_linear(zlib_counts):
    """The work for a file of many members grows with its size, not with the square of it."""
    member = gzip.compress(random.Random(1).randbytes(2000), mtime=0)  # noqa: S311 - bytes without a pattern
    work = []
    for count in (1000, 4000):
        before = zlib_counts.input_bytes + zlib_counts.copied_bytes
        assert await decompress_all(member * count, []) is not None
        work.append(zlib_counts.input_bytes + zlib_counts.copied_bytes - before)
    assert work[1] < 5 * work[0]


async def test_gzip_bomb_over_the_ratio_is_rejected():
    """300 kB that expand to 300 MB are rejected after the allowance; the client must send such a file uncompressed."""
    size = 0

    async def count() -> None:
        nonlocal size
        async for chunk in decompress(split(gzip_bomb(300 * 1024**2), [])):
            size += len(chunk)

    with pytest.raises(HttpError) as raised:
        await count()
    assert (raised.value.http_status, raised.value.details[0].reason) == (413, "COMPRESSION_RATIO_TOO_HIGH")
    assert size < 1.2 * gzip_body.RATIO_ALLOWANCE_BYTES


async def test_csv_ratio_is_accepted():
    """A large file with a ratio that real files have passes, and so does a small one with any ratio."""
    rows = b"".join(b"%d,Buy milk for customer %d,pending,2026-03-01\n" % (row, row % 1000) for row in range(600_000))
    assert len(rows) > 1.5 * gzip_body.RATIO_ALLOWANCE_BYTES
    assert await decompress_all(gzip.compress(rows, 9), []) == rows
    assert await decompress_all(gzip_bomb(8 * 1024**2), []) == bytes(8 * 1024**2)


async def test_decompression_gives_other_tasks_a_turn():
    """Another task runs between the steps, though the whole body has arrived."""
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    await decompress_all(gzip.compress(bytes(4 * 1024**2)), [])
    counting.cancel()
    assert turns >= 4 * 1024**2 // (64 * 1024)


async def test_disconnect_inside_gzip_member_sends_no_finish(address, services, upload_messages):
    _, writer = await asyncio.open_connection(address.host, address.port)
    head = b"POST /api/v1/imports HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\nContent-Encoding: gzip\r\n"
    writer.write(head + b"Content-Length: 100000\r\n\r\n" + COMPRESSED[:1000])
    await asyncio.wait_for(services.called.wait(), 10)
    writer.close()
    await asyncio.wait_for(services.ended.wait(), 10)
    assert not is_finished(upload_messages)


async def split(data: bytes, sizes: list[int]) -> AsyncIterator[bytes]:
    start = 0
    for size in [*sizes, len(data)]:
        yield data[start : start + size]
        start += size


async def decompress_all(data: bytes, sizes: list[int]) -> bytes | None:
    """Return the decompressed data; None if the gateway rejects it."""
    try:
        return b"".join([chunk async for chunk in decompress(split(data, sizes))])
    except HttpError:
        return None


@settings(max_examples=200)
@given(
    members=st.lists(st.binary(max_size=300) | st.integers(0, 300_000).map(bytes), min_size=1, max_size=3),
    sizes=st.lists(st.integers(1, 2000), max_size=6),
    lost_bytes=st.integers(1, 12),
)
async def test_decompression_is_independent_of_chunking(members, sizes, lost_bytes):
    """The output does not depend on the chunks of the input, and truncated input is rejected."""
    data = b"".join(gzip.compress(member, mtime=0) for member in members)
    assert await decompress_all(data, sizes) == b"".join(members)
    assert await decompress_all(data[:-lost_bytes], sizes) is None
