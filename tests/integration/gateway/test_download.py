"""Downloads: streamed, and visibly incomplete if the service fails."""

import asyncio

import grpc
import httpx2
import pytest
from google.api import httpbody_pb2

from chassis.rpc.errors import RichStatus
from tests.integration.gateway.access_lines import access_lines, captured_logs

ERRORS = "/api/v1/imports/i1/errors.csv"


def chunks(*texts: bytes):
    async def reply(_request, _context):
        for text in texts:
            yield httpbody_pb2.HttpBody(content_type="text/csv; charset=utf-8", data=text)

    return reply


async def test_chunks_form_one_named_file(rest, services):
    services.handlers["DownloadImportErrors"] = chunks(b"title\r\n", b"a\r\n")
    response = await rest.get(ERRORS)
    assert (response.status_code, response.content) == (200, b"title\r\na\r\n")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="errors.csv"'
    assert services.requests["DownloadImportErrors"][0].import_id == "i1"


async def test_export_takes_the_filters_of_a_list(rest, services):
    services.handlers["ExportTasks"] = chunks(b"title\r\n", b"a\r\n")
    response = await rest.get(
        "/api/v1/tasks:export?status=pending&labels_any=a&labels_any=b&order_by=due_date%20desc&bom=true&delimiter=;"
    )
    assert (response.status_code, response.content) == (200, b"title\r\na\r\n")
    assert response.headers["content-disposition"] == 'attachment; filename="tasks.csv"'
    request = services.requests["ExportTasks"][0]
    assert (request.bom, request.delimiter) == (True, ";")
    assert (len(request.status), request.labels_any, request.order_by) == (1, ["a", "b"], "due_date desc")


@pytest.mark.parametrize("parameter", ["page_size=1", "page_token=x", "include_total=true"])
async def test_export_has_no_pagination(rest, services, parameter):
    response = await rest.get(f"/api/v1/tasks:export?{parameter}")
    assert (response.status_code, response.json()["error"]["details"][0]["reason"]) == (400, "UNKNOWN_PARAMETER")
    assert not services.received(response)


async def test_error_before_first_chunk_is_the_status(rest, services):
    async def reply(_request, context):
        await RichStatus(grpc.StatusCode.NOT_FOUND, "There is no such import.", "IMPORT_NOT_FOUND").abort(context)
        yield

    services.handlers["DownloadImportErrors"] = reply
    response = await rest.get(ERRORS)
    assert response.status_code == 404
    assert response.json()["error"]["details"][0]["reason"] == "IMPORT_NOT_FOUND"


async def test_error_after_first_chunk_aborts_the_response(rest, services, caplog):
    """The status was sent before the error, so the access log has the reason. It is no error of the gateway."""

    async def reply(_request, context):
        yield httpbody_pb2.HttpBody(content_type="text/csv", data=b"title\r\n")
        await RichStatus(grpc.StatusCode.UNAVAILABLE, "Gone.", "UNAVAILABLE").abort(context)

    services.handlers["DownloadImportErrors"] = reply
    with captured_logs() as logs, pytest.raises(httpx2.RemoteProtocolError):
        await rest.get(ERRORS)
    assert [(line["status"], line["reason"]) for line in access_lines(logs)] == [(200, "UNAVAILABLE")]
    assert caplog.records == []


async def test_disconnect_ends_the_call(rest, services):
    async def reply(_request, _context):
        while True:
            yield httpbody_pb2.HttpBody(content_type="text/csv", data=b"a\r\n")
            await asyncio.sleep(0)

    services.handlers["DownloadImportErrors"] = reply
    async with rest.stream("GET", ERRORS) as response:
        await anext(response.aiter_bytes())
    async with asyncio.timeout(10):
        await services.ended.wait()
