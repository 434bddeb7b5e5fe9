"""Processes die at the worst moments, and every row still counts exactly once."""

import http.client
import os
import signal
from urllib.parse import urlsplit

from tests.support.waiting import wait_until

ROWS = 40_000
UNDONE = 8_000


def test_killed_worker_loses_and_repeats_no_row(stack, user):
    """A worker that is killed in the middle of a file loses no row, and no row is imported twice."""
    file = "title,description\n" + "".join(f"Task {number},made of a row\n" for number in range(ROWS))
    queued = user.upload(file)
    killed = None
    done = queued
    for done in user.watch_import(queued["id"]):
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
    assert fence >= 2, "no other worker took the import over"


def test_import_continues_while_auth_service_is_down(stack, user):
    """An import continues while auth_service is unavailable, although it checks that the owner is active."""
    queued = user.upload("title\n" + "".join(f"Task {number}\n" for number in range(ROWS)))
    auth = stack.endpoints["processes"]["auth_service"]
    os.killpg(auth, signal.SIGSTOP)  # a stopped process accepts calls and never responds
    try:
        assert user.wait_for_import(queued["id"])["rows_created"] == ROWS
    finally:
        os.killpg(auth, signal.SIGCONT)


def test_service_killed_during_undo_deletes_tasks_once(stack, user):
    done = user.wait_for_import(user.upload("title\n" + "".join(f"Task {number}\n" for number in range(UNDONE)))["id"])
    undo_response = user.http.post(f"/api/v1/imports/{done['id']}:undo", json={})
    assert undo_response.status_code == 200
    assert undo_response.json()["undo"]["state"] == "running"
    killed = None
    last = done
    for last in user.watch_import(done["id"], until_undone=True):
        if killed is None and 0 < last["undo"]["deleted"] < UNDONE:
            killed = stack.kill("task_service")
    assert killed is not None, "the undo was over before the service could be killed"
    undo = last["undo"]
    assert (undo["state"], undo["deleted"], undo["restored"], undo["kept"]) == ("succeeded", UNDONE, 0, 0)
    output = stack.sql(
        "SELECT action, count(*), count(DISTINCT task_id) FROM tasks.task_events WHERE owner_id = %s"
        " GROUP BY action ORDER BY action",
        user.id,
    )
    assert output == [("created", UNDONE, UNDONE), ("deleted", UNDONE, UNDONE)]
    assert user.http.get("/api/tasks").json()["tasks"] == []
    conflicts = user.http.get(f"/api/v1/imports/{done['id']}/undo-conflicts").json()
    assert conflicts == {"conflicts": [], "next_page_token": ""}


def test_gateway_killed_during_upload_leaves_no_import(stack, user):
    address = urlsplit(stack.url)
    connection = http.client.HTTPConnection(address.hostname, address.port)
    token = user.http.headers["authorization"]
    size = 50_000_000
    connection.putrequest("POST", "/api/upload-csv")
    connection.putheader("content-type", "text/csv")
    connection.putheader("content-length", str(size))
    connection.putheader("authorization", token)
    connection.endheaders()
    connection.send(b"title\n" + b"Half a file\n" * 500_000)
    uploading = "SELECT count(*) FROM tasks.imports WHERE owner_id = %s"
    wait_until(lambda: stack.sql(uploading, user.id) == [(1,)])
    stack.kill("gateway")
    connection.close()
    wait_until(lambda: stack.sql(uploading, user.id) == [(0,)])
    # The gateway is back soon and knows nothing of the upload.
    assert user.http.get("/api/v1/imports").json()["imports"] == []
    assert user.http.get("/api/tasks").json()["tasks"] == []
