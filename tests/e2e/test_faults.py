"""Processes die at the worst moment, and every row still counts exactly once."""

import http.client
import os
import signal
from urllib.parse import urlsplit

from tests.stacks import until

ROWS = 40_000
UNDONE = 8_000


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


def test_an_import_goes_on_while_nobody_can_be_asked_about_its_owner(stack, person):
    queued = person.upload("title\n" + "".join(f"Task {number}\n" for number in range(ROWS)))
    auth = stack.endpoints["processes"]["auth_service"]
    os.killpg(auth, signal.SIGSTOP)  # worse than dead: it takes calls and answers none
    try:
        assert person.finished(queued["id"])["rows_created"] == ROWS
    finally:
        os.killpg(auth, signal.SIGCONT)


def test_a_service_killed_in_mid_undo_deletes_every_task_once(stack, person):
    done = person.finished(person.upload("title\n" + "".join(f"Task {number}\n" for number in range(UNDONE)))["id"])
    asked = person.http.post(f"/api/v1/imports/{done['id']}:undo", json={})
    assert asked.status_code == 200
    assert asked.json()["undo"]["state"] == "running"
    killed = None
    last = done
    for last in person.watch(done["id"], to_the_end_of_its_undo=True):
        if killed is None and 0 < last["undo"]["deleted"] < UNDONE:
            killed = stack.kill("task_service")
    assert killed is not None, "the undo was over before the service could be killed"
    undo = last["undo"]
    assert (undo["state"], undo["deleted"], undo["restored"], undo["kept"]) == ("succeeded", UNDONE, 0, 0)
    told = stack.sql(
        "SELECT action, count(*), count(DISTINCT task_id) FROM tasks.task_events WHERE owner_id = %s"
        " GROUP BY action ORDER BY action",
        person.id,
    )
    assert told == [("created", UNDONE, UNDONE), ("deleted", UNDONE, UNDONE)]
    assert person.http.get("/api/tasks").json()["tasks"] == []
    assert person.http.get(f"/api/v1/imports/{done['id']}/kept").json() == {"conflicts": [], "next_page_token": ""}


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
