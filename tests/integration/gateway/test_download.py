"""Files that a service streams: sent on as they come, and never taken for whole when they are not."""

import asyncio

import grpc
import httpx2
import pytest
from google.api import httpbody_pb2

from chassis.rpc.errors import RichStatus

ERRORS = "/api/v1/imports/i1/errors.csv"


def pieces(*texts: bytes):
    async def reply(_request, _context):
        for text in texts:
            yield httpbody_pb2.HttpBody(content_type="text/csv; charset=utf-8", data=text)

    return reply


async def test_the_pieces_are_one_file_with_a_name(rest, services):
    services.answers["DownloadImportErrors"] = pieces(b"title\r\n", b"a\r\n")
    answer = await rest.get(ERRORS)
    assert (answer.status_code, answer.content) == (200, b"title\r\na\r\n")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="errors.csv"'
    assert services.requests["DownloadImportErrors"][0].import_id == "i1"


async def test_tasks_are_exported_with_the_words_of_a_list(rest, services):
    services.answers["ExportTasks"] = pieces(b"title\r\n", b"a\r\n")
    answer = await rest.get("/api/v1/tasks:export?status=pending&labels_any=a&labels_any=b&order_by=due_date%20desc")
    assert (answer.status_code, answer.content) == (200, b"title\r\na\r\n")
    assert answer.headers["content-disposition"] == 'attachment; filename="tasks.csv"'
    request = services.requests["ExportTasks"][0]
    assert (len(request.status), request.labels_any, request.order_by) == (1, ["a", "b"], "due_date desc")


@pytest.mark.parametrize("parameter", ["page_size=1", "page_token=x", "include_total=true"])
async def test_an_export_has_no_pages(rest, services, parameter):
    answer = await rest.get(f"/api/v1/tasks:export?{parameter}")
    assert (answer.status_code, answer.json()["error"]["details"][0]["reason"]) == (400, "UNKNOWN_PARAMETER")
    assert not services.got(answer)


async def test_an_error_before_the_first_piece_is_an_ordinary_error(rest, services):
    async def reply(_request, context):
        await RichStatus(grpc.StatusCode.NOT_FOUND, "There is no such import.", "IMPORT_NOT_FOUND").abort(context)
        yield

    services.answers["DownloadImportErrors"] = reply
    answer = await rest.get(ERRORS)
    assert answer.status_code == 404
    assert answer.json()["error"]["details"][0]["reason"] == "IMPORT_NOT_FOUND"


async def test_an_error_behind_the_first_piece_breaks_the_answer_off(rest, services):
    async def reply(_request, context):
        yield httpbody_pb2.HttpBody(content_type="text/csv", data=b"title\r\n")
        await RichStatus(grpc.StatusCode.UNAVAILABLE, "Gone.", "UNAVAILABLE").abort(context)

    services.answers["DownloadImportErrors"] = reply
    with pytest.raises(httpx2.RemoteProtocolError):
        await rest.get(ERRORS)


async def test_the_call_ends_when_the_client_goes_away(rest, services):
    async def reply(_request, _context):
        while True:
            yield httpbody_pb2.HttpBody(content_type="text/csv", data=b"a\r\n")
            await asyncio.sleep(0)

    services.answers["DownloadImportErrors"] = reply
    async with rest.stream("GET", ERRORS) as answer:
        await anext(answer.aiter_bytes())
    async with asyncio.timeout(10):
        await services.ended.wait()
