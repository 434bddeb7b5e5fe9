"""Uploads: a body becomes a client stream, which gets its finish message only if the body is complete."""

import asyncio

import grpc
import pytest
from taskmanager.imports.v1 import import_pb2

from chassis.rpc.errors import RichStatus, Violation
from tests.integration.gateway.upload_bodies import CSV, CSV_HEADERS, part
from tests.support.rest import error_details

pytestmark = pytest.mark.usefixtures("upload_messages")


async def test_raw_upload_takes_options_from_the_query(rest, upload_messages):
    headers = {"content-type": "text/csv; charset=utf-8"}
    response = await rest.post("/api/v1/imports?file_name=a.csv&owner_id=u1", content=CSV, headers=headers)
    assert response.status_code == 202
    assert upload_messages[0].options.file_name == "a.csv"
    assert upload_messages[0].options.owner_id == "u1"
    assert [message.WhichOneof("message") for message in upload_messages] == ["options", "chunk", "finish"]


@pytest.mark.parametrize(
    ("content_type", "query", "encoding"),
    [
        ("text/csv; charset=ISO-8859-1", "", "ISO-8859-1"),
        ('Text/CSV;Charset="utf-16"', "", "utf-16"),
        ("text/csv; charset=utf-8", "?encoding=cp1252", "cp1252"),
        ("text/csv", "", ""),
    ],
)
async def test_charset_sets_the_encoding_option(rest, upload_messages, content_type, query, encoding):
    """The charset of a raw body is its encoding unless the option is set."""
    await rest.post(f"/api/v1/imports{query}", content=CSV, headers={"content-type": content_type})
    assert upload_messages[0].options.encoding == encoding


async def test_large_file_is_split_into_chunks(rest, upload_messages):
    """A large file arrives unchanged, in chunks of at most the contract's maximum."""
    content = bytes(range(256)) * 10_000
    for request in ({"content": content, "headers": CSV_HEADERS}, {"files": {"file": ("a.csv", content)}}):
        upload_messages.clear()
        response = await rest.post("/api/v1/imports", **request)
        assert response.status_code == 202
        assert b"".join(message.chunk for message in upload_messages) == content
        assert max(len(message.chunk) for message in upload_messages) <= 1024 * 1024


async def test_idempotency_key_comes_only_from_the_header(rest, services, upload_messages):
    response = await rest.post("/api/v1/imports", content=CSV, headers={**CSV_HEADERS, "idempotency-key": "k-1"})
    assert response.status_code == 202
    assert upload_messages[0].options.idempotency_key == "k-1"
    response = await rest.post("/api/v1/imports?idempotency_key=k-1", content=CSV, headers=CSV_HEADERS)
    assert error_details(response) == [("UNKNOWN_PARAMETER", "idempotency_key")]
    headers = [*CSV_HEADERS.items(), ("idempotency-key", "a"), ("idempotency-key", "b")]
    response = await rest.post("/api/v1/imports", content=CSV, headers=headers)
    assert response.status_code == 400
    assert not services.received(response)


async def test_unknown_option_is_rejected_before_the_body(rest, services):
    response = await rest.post("/api/v1/imports?mode=fast", content=CSV, headers=CSV_HEADERS)
    assert error_details(response) == [("UNKNOWN_PARAMETER", "mode")]
    assert not services.received(response)


async def test_unsupported_upload_media_type_is_415(rest, services):
    for headers in ({"content-type": "application/json"}, {}, {"content-type": "application/gzip"}):
        response = await rest.post("/api/v1/imports", content=CSV, headers=headers)
        assert response.status_code == 415
        assert not services.received(response)


async def test_file_over_the_limit_is_413(rest, upload_messages):
    """A file over the limit is a 413, with or without a Content-Length."""
    content = b"x" * 3_100_000

    async def chunks():
        for start in range(0, len(content), 65536):
            yield content[start : start + 65536]

    for request in (
        {"content": content, "headers": CSV_HEADERS},
        {"content": chunks(), "headers": CSV_HEADERS},
        {"files": {"file": ("a", content)}},
    ):
        response = await rest.post("/api/v1/imports", **request)
        assert response.status_code == 413
        assert error_details(response) == [("FILE_TOO_LARGE", "file")]
    assert not any(message.WhichOneof("message") == "finish" for message in upload_messages)


@pytest.fixture
def rejecting_service(services):
    """A service that rejects the file after its first bytes."""

    async def reject(requests, context):
        async for message in requests:
            if message.WhichOneof("message") == "chunk":
                violation = Violation("options.file_name", "MISSING_TITLE_COLUMN", "There is no title column.")
                await RichStatus(
                    grpc.StatusCode.INVALID_ARGUMENT, violation.message, violation.reason, (violation,)
                ).abort(context)

    services.handlers["UploadImport"] = reject


async def test_service_error_is_sent_while_client_uploads(address, rejecting_service):
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(
        b"POST /api/v1/imports HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\nContent-Length: 2000000\r\n\r\n"
    )
    writer.write(b"no,header,here\n")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in head
    writer.write(b"x" * (2_000_000 - len(b"no,header,here\n")))
    body = await asyncio.wait_for(reader.read(), 10)
    assert b"MISSING_TITLE_COLUMN" in body
    assert b'"field":"file_name"' in body
    writer.close()


async def test_refused_upload_has_the_status_of_the_service(rest, rejecting_service):
    """An upload that is refused while the gateway sends it has the status of the service, at each of many attempts.

    If a write is pending when the call ends, grpc.aio can report INTERNAL: in most of these attempts it would.
    """

    async def content():
        for _ in range(50):
            yield b"x" * 20_000

    responses = [await rest.post("/api/v1/imports", content=content(), headers=CSV_HEADERS) for _ in range(20)]
    assert {response.status_code for response in responses} == {400}
    assert all(error_details(response) == [("MISSING_TITLE_COLUMN", "file_name")] for response in responses)


@pytest.mark.parametrize("kind", ["raw", "multipart"])
async def test_disconnect_during_upload_sends_no_finish(address, services, upload_messages, kind):
    content_type = "text/csv" if kind == "raw" else "multipart/form-data; boundary=boundary"
    body = CSV if kind == "raw" else part("file", CSV, "a.csv").removesuffix(b"\r\n")
    _, writer = await asyncio.open_connection(address.host, address.port)
    head = f"POST /api/v1/imports HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: 1000\r\n\r\n"
    writer.write(head.encode() + body)
    await asyncio.wait_for(services.called.wait(), 10)
    writer.close()
    await asyncio.wait_for(services.ended.wait(), 10)
    assert not any(message.WhichOneof("message") == "finish" for message in upload_messages)


async def test_truncated_chunked_body_sends_no_finish(address, services, upload_messages):
    _, writer = await asyncio.open_connection(address.host, address.port)
    head = b"POST /api/v1/imports HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head + b"%x\r\n%b\r\n" % (len(CSV), CSV))
    await asyncio.wait_for(services.called.wait(), 10)
    writer.close()
    await asyncio.wait_for(services.ended.wait(), 10)
    assert not any(message.WhichOneof("message") == "finish" for message in upload_messages)


async def test_early_success_of_the_service_is_500(address, services):
    """The gateway returns 500 if the service accepts an upload before its end."""
    services.respond_with("UploadImport", import_pb2.Import(id="i1"))
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(b"POST /api/v1/imports HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\nContent-Length: 1000\r\n\r\na")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 500 ")
    writer.close()
