"""HTTP as bytes on a connection, for requests that no client library sends."""

import asyncio
import json
from contextlib import asynccontextmanager

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"


@asynccontextmanager
async def connected(address):
    reader, writer = await asyncio.open_connection(address.host, address.port, limit=2**20)
    try:
        yield reader, writer
    finally:
        writer.close()


def parse_responses(received):
    """Return the statuses and bodies of the responses on a connection."""
    responses = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        (length,) = [int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")]
        responses.append((int(head.split()[1]), json.loads(rest[:length] or b"null")))
        received = rest[length:]
    return responses


async def responses_to(address, *chunks):
    """Send the chunks and return all responses until the connection closes."""
    async with connected(address) as (reader, writer):
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        return parse_responses(await asyncio.wait_for(reader.read(), 20))


def reasons(responses):
    for status, body in responses:
        assert set(body) == {"error"}
        assert body["error"]["code"] == status
        assert body["error"]["request_id"]
    return [(status, body["error"]["details"][0]["reason"]) for status, body in responses]


async def read_head(reader):
    return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
