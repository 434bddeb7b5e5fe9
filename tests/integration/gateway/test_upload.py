"""Uploads: a body becomes a client stream, which gets its finish message only if the body is complete."""

import asyncio

import grpc
import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2

from chassis.rpc.errors import RichStatus, Violation
from tests.support.rest import error_details

pytestmark = pytest.mark.usefixtures("upload_messages")

MALFORMED_FORM = ("MALFORMED_MULTIPART", None)
CSV = b"subject,description,status\nBuy milk,,pending\n"
CSV_HEADERS = {"content-type": "text/csv"}
UNDECODABLE_FILE_NAME = b'--boundary\r\nContent-Disposition: form-data; name="file"; filename="\xff"\r\n\r\n'


def part(name, content, file_name=""):
    file_name_parameter = f'; filename="{file_name}"' if file_name else ""
    head = f'--boundary\r\nContent-Disposition: form-data; name="{name}"{file_name_parameter}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def multipart(*parts, end=b"--boundary--\r\n"):
    return {"content": b"".join(parts) + end, "headers": {"content-type": "multipart/form-data; boundary=boundary"}}


@pytest.mark.parametrize("path", ["/api/v1/imports", "/api/upload-csv"])
async def test_form_upload_returns_202_and_location(rest, services, path):
    response = await rest.post(
        path, files={"file": ("täsks.csv", CSV, "text/csv")}, headers={"authorization": "Bearer a"}
    )
    assert response.status_code == 202
    assert response.headers["location"] == "/api/v1/imports/i1"
    assert response.json()["state"] == "queued"
    assert response.json()["file_name"] == "täsks.csv"
    assert response.json()["bytes_total"] == len(CSV)
    assert services.metadata["authorization"] == "Bearer a"


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


async def test_options_are_parts_of_the_form_before_the_file(rest, upload_messages):
    mapping = '{"status": {"Blocked & \u00fcber": "pending"}}'.encode()
    form = multipart(
        part("value_mapping", mapping),
        part("on_unknown_status", b"default"),
        part("on_unknown_assignee", b"leave_empty"),
        part("label_separator", b";"),
        part("file", CSV, "b.csv"),
    )
    response = await rest.post("/api/v1/imports?owner_id=u1", **form)
    assert response.status_code == 202
    options = upload_messages[0].options
    assert (options.value_mapping.encode(), options.owner_id, options.file_name) == (mapping, "u1", "b.csv")
    assert options.on_unknown_status == import_service_pb2.UploadOptions.ON_UNKNOWN_VALUE_DEFAULT
    assert options.on_unknown_assignee == import_service_pb2.UploadOptions.ON_UNKNOWN_ASSIGNEE_LEAVE_EMPTY
    assert options.label_separator == ";"
    response = await rest.post("/api/v1/imports?value_mapping=x", **form)
    assert error_details(response) == [("DUPLICATE_PARAMETER", "value_mapping")]


@pytest.mark.parametrize(
    ("parts", "violation"),
    [
        ((part("file", CSV), part("mapping", b"x")), ("UNKNOWN_PART", "mapping")),
        ((part("mapping", b"x", "a.csv"), part("file", CSV)), ("UNKNOWN_PART", "mapping")),
        ((part("idempotency_key", b"x"), part("file", CSV)), ("UNKNOWN_PART", "idempotency_key")),
        ((part("mapping", b"x" * 65_537), part("file", CSV)), ("OPTIONS_TOO_LARGE", "mapping")),
        ((part("mapping", b"\xff"), part("file", CSV)), ("MALFORMED_PART", "mapping")),
        ((part("mapping", b"x"), part("mapping", b"x"), part("file", CSV)), ("DUPLICATE_PARAMETER", "mapping")),
        ((part("on_duplicate", b"often"), part("file", CSV)), ("UNKNOWN_VALUE", "on_duplicate")),
        ((part("mapping", b"x"),), ("FILE_MISSING", "file")),
    ],
    ids=["after file", "with file name", "only a header", "too large", "not UTF-8", "twice", "unknown word", "no file"],
)
async def test_invalid_option_in_a_form_is_refused(rest, upload_messages, parts, violation):
    response = await rest.post("/api/v1/imports", **multipart(*parts))
    assert (response.status_code, error_details(response)) == (400, [violation])
    assert not any(message.WhichOneof("message") == "finish" for message in upload_messages)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((part("file", CSV), part("mapping", b"x")), "Send the part 'mapping' before the part 'file'."),
        ((part("mapping", b"x", "a.csv"), part("file", CSV)), "Send the part 'mapping' as text, without a file name."),
    ],
)
async def test_misplaced_option_of_a_form_says_where_it_belongs(rest, upload_messages, parts, message):
    """An option is no unknown part."""
    response = await rest.post("/api/v1/imports", **multipart(*parts))
    assert response.json()["error"]["message"] == message


async def test_file_name_parameter_overrides_the_form(rest, upload_messages):
    await rest.post("/api/v1/imports?file_name=a.csv", files={"file": ("b.csv", CSV)})
    assert upload_messages[0].options.file_name == "a.csv"


async def test_large_file_is_split_into_chunks(rest, upload_messages):
    """A large file arrives unchanged, in chunks of at most the contract's maximum."""
    content = bytes(range(256)) * 10_000
    for request in ({"content": content, "headers": CSV_HEADERS}, {"files": {"file": ("a.csv", content)}}):
        upload_messages.clear()
        response = await rest.post("/api/v1/imports", **request)
        assert response.status_code == 202
        assert b"".join(message.chunk for message in upload_messages) == content
        assert max(len(message.chunk) for message in upload_messages) <= 1024 * 1024


@pytest.mark.parametrize(
    ("request_", "violation"),
    [
        (multipart(part("other", CSV)), ("UNKNOWN_PART", "other")),
        (multipart(part("mode", b"x"), part("file", CSV)), ("UNKNOWN_PART", "mode")),
        (multipart(part("file", CSV, "a"), part("file", CSV, "b")), ("DUPLICATE_PART", "file")),
        (multipart(part("file", CSV), part("other", b"x")), ("UNKNOWN_PART", "other")),
        (multipart(), ("FILE_MISSING", "file")),
        (multipart(part("file", CSV), end=b""), MALFORMED_FORM),
        (multipart(part("file", CSV), end=b"--bound"), MALFORMED_FORM),
        (multipart(end=b"no boundary at all"), MALFORMED_FORM),
        (multipart(b"--boundary\r\nnonsense\r\n\r\n"), MALFORMED_FORM),
        (multipart(UNDECODABLE_FILE_NAME), MALFORMED_FORM),
        (multipart(b"--boundary\r\nContent-Length: x\r\n\r\n"), MALFORMED_FORM),
        ({"content": b"", "headers": {"content-type": "multipart/form-data"}}, MALFORMED_FORM),
    ],
    ids=[
        "other name",
        "extra text part",
        "two files",
        "part after the file",
        "no part",
        "no end",
        "truncated end",
        "no boundary",
        "malformed header",
        "undecodable file name",
        "no disposition",
        "no boundary parameter",
    ],
)
async def test_form_must_contain_exactly_one_file(rest, upload_messages, request_, violation):
    response = await rest.post("/api/v1/imports", **request_)
    assert response.status_code == 400
    assert error_details(response) == [violation]
    assert not any(message.WhichOneof("message") == "finish" for message in upload_messages)


async def test_malformed_form_hides_the_parser_message(rest):
    messages = set()
    for body in (multipart(UNDECODABLE_FILE_NAME), multipart(end=b"no boundary at all"), multipart(end=b"--bound")):
        messages.add((await rest.post("/api/v1/imports", **body)).json()["error"]["message"])
    (message,) = messages
    assert message.startswith("The body is not multipart/form-data. Each part needs the boundary")


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
