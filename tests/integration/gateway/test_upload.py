"""Uploads: a body becomes a client stream, and only a whole one gets its Finish."""

import asyncio

import grpc
import pytest
from taskmanager.imports.v1 import import_pb2

from chassis.rpc.errors import RichStatus, Violation
from tests.support.rest import error_details

pytestmark = pytest.mark.usefixtures("taken")

NO_FORM = ("MALFORMED_MULTIPART", None)
CSV = b"subject,description,status\nBuy milk,,pending\n"
TEXT = {"content-type": "text/csv"}


def part(name, content, file_name=""):
    named = f'; filename="{file_name}"' if file_name else ""
    head = f'--limit\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def multipart(*parts, end=b"--limit--\r\n"):
    return {"content": b"".join(parts) + end, "headers": {"content-type": "multipart/form-data; boundary=limit"}}


@pytest.mark.parametrize("path", ["/api/v1/imports", "/api/upload-csv"])
async def test_a_multipart_file_is_taken_and_its_place_is_told(rest, services, path):
    answer = await rest.post(
        path, files={"file": ("täsks.csv", CSV, "text/csv")}, headers={"authorization": "Bearer a"}
    )
    assert answer.status_code == 202
    assert answer.headers["location"] == "/api/v1/imports/i1"
    assert answer.json()["state"] == "queued"
    assert answer.json()["file_name"] == "täsks.csv"
    assert answer.json()["bytes_total"] == len(CSV)
    assert services.metadata["authorization"] == "Bearer a"


async def test_a_raw_body_is_taken_with_options_as_query_parameters(rest, taken):
    headers = {"content-type": "text/csv; charset=utf-8"}
    answer = await rest.post("/api/v1/imports?file_name=a.csv&owner_id=u1", content=CSV, headers=headers)
    assert answer.status_code == 202
    assert taken[0].options.file_name == "a.csv"
    assert taken[0].options.owner_id == "u1"
    assert [message.WhichOneof("message") for message in taken] == ["options", "chunk", "finish"]


@pytest.mark.parametrize(
    ("content_type", "query", "encoding"),
    [
        ("text/csv; charset=ISO-8859-1", "", "ISO-8859-1"),
        ('Text/CSV;Charset="utf-16"', "", "utf-16"),
        ("text/csv; charset=utf-8", "?encoding=cp1252", "cp1252"),
        ("text/csv", "", ""),
    ],
)
async def test_the_charset_of_a_raw_body_is_its_encoding_where_no_option_says_another(
    rest, taken, content_type, query, encoding
):
    await rest.post(f"/api/v1/imports{query}", content=CSV, headers={"content-type": content_type})
    assert taken[0].options.encoding == encoding


async def test_a_name_in_the_query_wins_over_the_part_s(rest, taken):
    await rest.post("/api/v1/imports?file_name=a.csv", files={"file": ("b.csv", CSV)})
    assert taken[0].options.file_name == "a.csv"


async def test_a_large_file_arrives_byte_for_byte_in_messages_the_services_take(rest, taken):
    content = bytes(range(256)) * 10_000
    for request in ({"content": content, "headers": TEXT}, {"files": {"file": ("a.csv", content)}}):
        taken.clear()
        answer = await rest.post("/api/v1/imports", **request)
        assert answer.status_code == 202
        assert b"".join(message.chunk for message in taken) == content
        assert max(len(message.chunk) for message in taken) <= 1024 * 1024


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (multipart(part("other", CSV)), ("UNKNOWN_PART", "other")),
        (multipart(part("mode", b"x"), part("file", CSV)), ("UNKNOWN_PART", "mode")),
        (multipart(part("file", CSV, "a"), part("file", CSV, "b")), ("DUPLICATE_PART", "file")),
        (multipart(part("file", CSV), part("other", b"x")), ("UNKNOWN_PART", "other")),
        (multipart(), ("FILE_MISSING", "file")),
        (multipart(part("file", CSV), end=b""), NO_FORM),
        (multipart(part("file", CSV), end=b"--lim"), NO_FORM),
        (multipart(end=b"no boundary at all"), NO_FORM),
        (multipart(b"--limit\r\nnonsense\r\n\r\n"), NO_FORM),
        (multipart(b'--limit\r\nContent-Disposition: form-data; name="file"; filename="\xff"\r\n\r\n'), NO_FORM),
        (multipart(b"--limit\r\nContent-Length: x\r\n\r\n"), NO_FORM),
        ({"content": b"", "headers": {"content-type": "multipart/form-data"}}, NO_FORM),
    ],
    ids=range(12),
)
async def test_a_multipart_body_that_holds_something_else_than_one_file_is_no_upload(rest, taken, request_, refusal):
    answer = await rest.post("/api/v1/imports", **request_)
    assert answer.status_code == 400
    assert error_details(answer) == [refusal]
    assert not any(message.WhichOneof("message") == "finish" for message in taken)


async def test_what_is_no_form_is_told_in_our_words_and_not_in_the_parser_s(rest):
    undecodable = b'--limit\r\nContent-Disposition: form-data; name="file"; filename="\xff"\r\n\r\n'
    messages = set()
    for body in (multipart(undecodable), multipart(end=b"no boundary at all"), multipart(end=b"--lim")):
        messages.add((await rest.post("/api/v1/imports", **body)).json()["error"]["message"])
    (message,) = messages
    assert message.startswith("The body is not multipart/form-data: parts behind the boundary")


async def test_an_idempotency_key_is_taken_from_the_header_and_from_nowhere_else(rest, services, taken):
    answer = await rest.post("/api/v1/imports", content=CSV, headers={**TEXT, "idempotency-key": "k-1"})
    assert answer.status_code == 202
    assert taken[0].options.idempotency_key == "k-1"
    answer = await rest.post("/api/v1/imports?idempotency_key=k-1", content=CSV, headers=TEXT)
    assert error_details(answer) == [("UNKNOWN_PARAMETER", "idempotency_key")]
    headers = [*TEXT.items(), ("idempotency-key", "a"), ("idempotency-key", "b")]
    answer = await rest.post("/api/v1/imports", content=CSV, headers=headers)
    assert answer.status_code == 400
    assert not services.got(answer)


async def test_an_unknown_option_is_refused_before_a_byte_is_read(rest, services):
    answer = await rest.post("/api/v1/imports?mode=fast", content=CSV, headers=TEXT)
    assert error_details(answer) == [("UNKNOWN_PARAMETER", "mode")]
    assert not services.got(answer)


async def test_a_body_that_is_no_csv_and_no_form_is_415(rest, services):
    for headers in ({"content-type": "application/json"}, {}, {"content-type": "application/gzip"}):
        answer = await rest.post("/api/v1/imports", content=CSV, headers=headers)
        assert answer.status_code == 415
        assert not services.got(answer)


async def test_a_file_over_the_limit_is_413_announced_or_not(rest, taken):
    content = b"x" * 3_100_000

    async def pieces():
        for at in range(0, len(content), 65536):
            yield content[at : at + 65536]

    for request in (
        {"content": content, "headers": TEXT},
        {"content": pieces(), "headers": TEXT},
        {"files": {"file": ("a", content)}},
    ):
        answer = await rest.post("/api/v1/imports", **request)
        assert answer.status_code == 413
        assert error_details(answer) == [("FILE_TOO_LARGE", "file")]
    assert not any(message.WhichOneof("message") == "finish" for message in taken)


@pytest.fixture
def refusing(services):
    """A service that refuses the file by its first bytes."""

    async def refuse(requests, context):
        async for message in requests:
            if message.WhichOneof("message") == "chunk":
                violation = Violation("options.file_name", "MISSING_TITLE_COLUMN", "There is no title column.")
                await RichStatus(
                    grpc.StatusCode.INVALID_ARGUMENT, violation.message, violation.reason, (violation,)
                ).abort(context)

    services.answers["UploadImport"] = refuse


async def test_a_refusal_is_answered_while_the_client_still_sends(address, refusing):
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


@pytest.mark.parametrize("kind", ["raw", "multipart"])
async def test_a_client_that_goes_away_leaves_an_upload_without_finish(address, services, taken, kind):
    content_type = "text/csv" if kind == "raw" else "multipart/form-data; boundary=limit"
    body = CSV if kind == "raw" else part("file", CSV, "a.csv").removesuffix(b"\r\n")
    _, writer = await asyncio.open_connection(address.host, address.port)
    head = f"POST /api/v1/imports HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: 1000\r\n\r\n"
    writer.write(head.encode() + body)
    await asyncio.wait_for(services.called.wait(), 10)
    writer.close()
    await asyncio.wait_for(services.ended.wait(), 10)
    assert not any(message.WhichOneof("message") == "finish" for message in taken)


async def test_a_chunked_body_that_is_cut_off_is_no_upload(address, services, taken):
    _, writer = await asyncio.open_connection(address.host, address.port)
    head = b"POST /api/v1/imports HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head + b"%x\r\n%b\r\n" % (len(CSV), CSV))
    await asyncio.wait_for(services.called.wait(), 10)
    writer.close()
    await asyncio.wait_for(services.ended.wait(), 10)
    assert not any(message.WhichOneof("message") == "finish" for message in taken)


async def test_a_service_that_says_yes_too_early_is_not_believed(address, services):
    services.answer("UploadImport", import_pb2.Import(id="i1"))
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(b"POST /api/v1/imports HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\nContent-Length: 1000\r\n\r\na")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 500 ")
    writer.close()
