"""Processes die at the worst moment, and every row still counts exactly once."""

import http.client
from urllib.parse import urlsplit

from tests.stacks import until

ROWS = 40_000


def test_a_worker_killed_in_mid_file_costs_no_row_and_doubles_none(stack, person):
    file = "title,description\n" + "".join(f"Task {number},made of a row\n" for number in range(ROWS))
    queued = person.upload(file)
    killed = None
    done = queued
    for done in person.watch(queued["id"]):
        if killed is None and 0 < done["rows_read"] < ROWS:
            killed = stack.kill("import_worker-1")
    assert killed is not None, "the import was over before the worker could be killed"
    assert (done["state"], done["rows_read"], done["rows_created"], done["rows_failed"]) == (
        "succeeded",
        ROWS,
        ROWS,
        0,
    )
    counted = stack.sql("SELECT count(*), count(DISTINCT title) FROM tasks.tasks WHERE import_id = %s", queued["id"])
    assert counted == [(ROWS, ROWS)]
    events = stack.sql(
        "SELECT count(*), count(DISTINCT task_id) FROM tasks.task_events JOIN tasks.tasks ON tasks.id = task_id"
        " WHERE import_id = %s",
        queued["id"],
    )
    assert events == [(ROWS, ROWS)]
    (fence,) = stack.sql("SELECT fence FROM tasks.imports WHERE id = %s", queued["id"])[0]
    assert fence >= 2, "nobody had to take the import over"


def test_a_gateway_killed_in_mid_upload_leaves_no_import(stack, person):
    address = urlsplit(stack.url)
    connection = http.client.HTTPConnection(address.hostname, address.port)
    token = person.http.headers["authorization"]
    size = 50_000_000
    connection.putrequest("POST", "/api/upload-csv")
    connection.putheader("content-type", "text/csv")
    connection.putheader("content-length", str(size))
    connection.putheader("authorization", token)
    connection.endheaders()
    connection.send(b"title\n" + b"Half a file\n" * 500_000)
    uploading = "SELECT count(*) FROM tasks.imports WHERE owner_id = %s"
    until(lambda: stack.sql(uploading, person.id) == [(1,)])
    stack.kill("gateway")
    connection.close()
    until(lambda: stack.sql(uploading, person.id) == [(0,)])
    # Back within moments, and it knows nothing of the upload.
    assert person.http.get("/api/v1/imports").json()["imports"] == []
    assert person.http.get("/api/tasks").json()["tasks"] == []
