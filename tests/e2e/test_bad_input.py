"""Errors have one shape and name the field or the row; valid input beside an invalid part is kept."""

from typing import Any

import pytest


def error_in(response, status: int) -> dict[str, Any]:
    """Return the error of a response; check its shape and its status."""
    assert response.status_code == status, response.text
    assert set(response.json()) == {"error"}
    error = response.json()["error"]
    assert set(error) == {"code", "status", "message", "request_id", "details"}
    assert error["code"] == status
    assert error["request_id"] == response.headers["x-request-id"]
    for detail in error["details"]:
        assert set(detail) == {"reason", "field", "message"}
    return error


@pytest.mark.parametrize(
    ("body", "reason", "field"),
    [
        ('{"description": "x"}', "BLANK_TITLE", "title"),
        ('{"title": "   "}', "BLANK_TITLE", "title"),
        ('{"title": "x", "colour": "red"}', "UNKNOWN_FIELD", "colour"),
        ('{"title": 7}', "WRONG_TYPE", "title"),
        ('{"title": ["x"]}', "WRONG_TYPE", "title"),
        ('{"title": "x", "title": "y"}', "DUPLICATE_FIELD", "title"),
        ('{"title": "x", "id": "0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e"}', "READ_ONLY_FIELD", "id"),
        ('{"title": "x", "status": "doing"}', "UNKNOWN_VALUE", "status"),
        ('{"title": "x", "status": "PENDING"}', "UNKNOWN_VALUE", "status"),
        ('{"title": "x", "status": 1}', "WRONG_TYPE", "status"),
        ('{"title": "x", "due_date": "31.12.2026"}', "MALFORMED_DATE", "due_date"),
        ('{"title": "x", "due_date": "2026-02-30"}', "MALFORMED_DATE", "due_date"),
        ('{"title": "x", "due_date": "2026-W14-2"}', "MALFORMED_DATE", "due_date"),
        ('{"title": "a\\u0000b"}', "FORBIDDEN_CHARACTER", "title"),
        ('{"title": "x", "owner_id": "me"}', "MALFORMED_ID", "owner_id"),
    ],
)
def test_invalid_task_is_400_and_names_the_field(user, body, reason, field):
    response = user.http.post("/api/tasks", content=body, headers={"content-type": "application/json"})
    details = error_in(response, 400)["details"]
    assert [(detail["reason"], detail["field"]) for detail in details] == [(reason, field)]


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '"x"', "null", '{"title": "\\ud800"}', "[" * 100_000, '{"title": NaN}']
)
def test_body_that_is_not_a_json_object_is_400(user, body):
    response = user.http.post("/api/tasks", content=body, headers={"content-type": "application/json"})
    error_in(response, 400)


def test_every_invalid_field_is_reported_at_once(user):
    response = user.http.post("/api/tasks", json={"title": "", "due_date": "soon", "description": "a\x01b"})
    fields = {detail["field"] for detail in error_in(response, 400)["details"]}
    assert fields == {"title", "due_date", "description"}


def test_foreign_task_is_404_like_a_missing_one(stack, user):
    task = user.http.post("/api/tasks", json={"title": "Mine"}).json()
    stranger = stack.api.new_user().http
    missing = "0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e"
    errors = [error_in(stranger.get(f"/api/v1/tasks/{task_id}"), 404) for task_id in (task["id"], missing)]
    assert errors[0]["message"] == errors[1]["message"]
    error_in(stranger.delete(f"/api/v1/tasks/{task['id']}"), 404)
    error_in(stranger.get(f"/api/v1/tasks/{task['id']}/events"), 404)


def test_unknown_path_is_404_and_wrong_method_405(user):
    error_in(user.http.get("/api/nothing"), 404)
    response = user.http.put("/api/tasks", json={})
    error_in(response, 405)
    assert set(response.headers["allow"].split(", ")) >= {"GET", "POST"}


def test_unknown_query_parameter_is_400(user):
    details = error_in(user.http.get("/api/tasks", params={"colour": "red"}), 400)["details"]
    assert [(detail["reason"], detail["field"]) for detail in details] == [("UNKNOWN_PARAMETER", "colour")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "EMPTY_FILE"),
        (b"label,notes\nx,y\n", "MISSING_TITLE_COLUMN"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "UNSUPPORTED_FORMAT"),
        (b"PK\x03\x04\x14\0\x06\0\x08\0title\n", "UNSUPPORTED_FORMAT"),
        (b'title,"descr\nx,y\n', "UNCLOSED_HEADER_QUOTE"),
    ],
)
def test_unusable_file_is_400_and_leaves_no_import(user, data, reason):
    response = user.http.post("/api/upload-csv", files={"file": ("x.csv", data)})
    details = error_in(response, 400)["details"]
    assert [(detail["reason"], detail["field"]) for detail in details] == [(reason, "file")]
    assert user.http.get("/api/v1/imports").json()["imports"] == []


def test_upload_without_a_file_is_400(user):
    response = user.http.post("/api/upload-csv", files={"other": ("x.csv", b"title\nx\n")})
    error_in(response, 400)


def test_invalid_rows_are_listed_and_the_others_imported(user):
    """Each invalid row is listed with its line, record, column and code; the valid rows are imported."""
    file = (
        b"title,description,status,priority,due_date\n"
        b"Good,,,,\n"
        b",no title,,,\n"
        b'"Two\nlines",,,,\n'
        b"Bad status,,someday,,\n"
        b"Bad date,,,,2026-02-30\n"
        b"N\0UL,,,,\n"
        b"Too,many,pending,low,2026-01-01,cells,here\n"
        b"Und\xffecodable,,,,\n"
        b"Bad priority,,,very,\n"
        b"\n"
        b"Short row\n"
        b"Also good,,in-progress,urgent,2026-12-24\n"
    )
    done = user.wait_for_import(user.upload(file)["id"])
    assert (done["state"], done["rows_read"], done["rows_created"], done["rows_failed"]) == ("succeeded", 11, 3, 8)
    assert done["bytes_read"] == done["bytes_total"] == len(file)
    errors = user.http.get(f"/api/v1/imports/{done['id']}/errors").json()["errors"]
    assert [(error["line"], error["record"], error["column"], error["code"]) for error in errors] == [
        (3, 2, "title", "BLANK_TITLE"),
        (4, 3, "title", "LINE_BREAK_IN_TITLE"),
        (6, 4, "status", "UNKNOWN_STATUS"),
        (7, 5, "due_date", "MALFORMED_DATE"),
        (8, 6, "title", "FORBIDDEN_CHARACTER"),
        (9, 7, "", "TOO_MANY_CELLS"),
        (10, 8, "title", "UNDECODABLE_BYTES"),
        (11, 9, "priority", "UNKNOWN_PRIORITY"),
    ]
    titles = [task["title"] for task in user.http.get("/api/tasks").json()["tasks"]]
    assert titles == ["Also good", "Short row", "Good"]


def test_unclosed_quote_fails_the_import_at_its_line(user):
    """An unclosed quote fails the import, names its line and keeps the rows before it."""
    done = user.wait_for_import(user.upload('title\nBefore\n"never closed\nlost\n')["id"])
    assert (done["state"], done["rows_created"]) == ("failed", 1)
    assert (done["failure"]["code"], done["failure"]["line"]) == ("UNCLOSED_QUOTE", 3)
    assert [task["title"] for task in user.http.get("/api/tasks").json()["tasks"]] == ["Before"]
