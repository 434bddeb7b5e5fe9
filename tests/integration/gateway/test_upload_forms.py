"""Uploads as a form: options are parts before the file, and there is exactly one file."""

import pytest
from taskmanager.imports.v1 import import_service_pb2

from tests.integration.gateway.upload_bodies import CSV, multipart, part
from tests.support.rest import error_details

pytestmark = pytest.mark.usefixtures("upload_messages")

MALFORMED_FORM = ("MALFORMED_MULTIPART", None)
UNDECODABLE_FILE_NAME = b'--boundary\r\nContent-Disposition: form-data; name="file"; filename="\xff"\r\n\r\n'


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


@pytest.mark.parametrize(
    ("name", "question"), [("maping", " Did you mean mapping?"), ("other", ""), ("mapping" * 100, "")]
)
async def test_misspelt_option_is_recognized(rest, name, question):
    """It is so in the query string, in a form before the file, and after the file."""
    response = await rest.post(f"/api/v1/imports?{name}=x", **multipart(part("file", CSV)))
    assert response.json()["error"]["details"][0]["message"] == f"Unknown parameter.{question} See /docs."
    for form in (multipart(part(name, b"x"), part("file", CSV)), multipart(part("file", CSV), part(name, b"x"))):
        response = await rest.post("/api/v1/imports", **form)
        message = response.json()["error"]["details"][0]["message"]
        assert message.startswith(f"Unknown part.{question} Send options by their names")


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
