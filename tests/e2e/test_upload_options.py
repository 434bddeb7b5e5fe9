"""Upload options over REST: encodings, mappings, defaults, dry runs and files of invalid rows."""

import gzip

ROWS = "Nummer;Vorgang;Fällig\r\n1;Übergabe für 5 €;2026-03-31\r\n2;;2026-04-01\r\n3;Käse 😀;morgen\r\n"
MAPPING = "title:Vorgang,due_date:Fällig"


def test_utf_16_file_with_mapped_columns_is_imported(stack, user):
    """A UTF-16 file with mapped columns is imported, and its invalid rows are returned as a file."""
    queued = user.upload(ROWS.encode("utf-16"), mapping=MAPPING, default_status="in-progress")
    done = user.wait_for_import(queued["id"])
    assert (done["state"], done["rows_created"], done["rows_failed"]) == ("succeeded", 1, 2)
    assert done["bytes_read"] == done["bytes_total"] == len(ROWS.encode("utf-16"))
    (task,) = user.http.get("/api/tasks").json()["tasks"]
    assert (task["title"], task["status"], task["due_date"]) == ("Übergabe für 5 €", "in_progress", "2026-03-31")
    errors = user.http.get(f"/api/v1/imports/{queued['id']}/errors.csv")
    assert errors.headers["content-type"] == "text/csv; charset=utf-8"
    corrected_file = errors.text.replace("2,,", "2,Besuch,").replace("morgen", "2026-04-02")
    as_json = '{"Vorgang": "title", "#3": "due_date", "Nummer": null}'
    corrected = user.wait_for_import(user.upload(corrected_file, mapping=as_json)["id"])
    assert (corrected["state"], corrected["rows_created"], corrected["rows_failed"]) == ("succeeded", 2, 0)
    assert {task["title"] for task in user.http.get("/api/tasks").json()["tasks"]} >= {"Besuch", "Käse 😀"}


def test_changed_rows_of_errors_csv_stay_invalid(stack, user):
    """The file of wrong rows, uploaded as it is: nothing damaged becomes a task."""
    file = b"title,description\nCall,mum, now\nK\xe4se,\na\0b,\n"
    first = user.wait_for_import(user.upload(file)["id"])
    wrong = user.http.get(f"/api/v1/imports/{first['id']}/errors.csv").text
    assert wrong.splitlines()[1].endswith(", now")
    second = user.wait_for_import(user.upload(wrong)["id"])
    assert (second["rows_created"], second["rows_failed"]) == (0, 3)
    errors = user.http.get(f"/api/v1/imports/{second['id']}/errors.csv").text
    assert [line.split(",")[0] for line in errors.splitlines()] == [line.split(",")[0] for line in wrong.splitlines()]
    assert errors.splitlines()[1].endswith(", now")
    header, *rows = wrong.replace("K\ufffdse", "K\u00e4se").replace("a\ufffdb", "ab").splitlines()
    corrected_file = "\n".join([header, '"Call","mum, now",', *rows[1:], ""])
    third = user.wait_for_import(user.upload(corrected_file)["id"])
    assert (third["rows_created"], third["rows_failed"]) == (3, 0)


def test_upload_options_set_default_values(stack, user):
    me = user.http.get("/api/v1/me").json()["username"]
    user.wait_for_import(user.upload("title\nBuy milk\n", default_assignee=me, default_labels="home,shop")["id"])
    (task,) = user.http.get("/api/tasks").json()["tasks"]
    assert (task["assignee_id"], task["labels"]) == (user.id, ["home", "shop"])
    refused = user.http.post(
        "/api/v1/imports", files={"file": ("a.csv", "title\nx\n")}, params={"default_assignee": "nobody"}
    )
    assert refused.status_code == 400
    assert refused.json()["error"]["details"][0]["field"] == "default_assignee"


def test_external_ids_synchronise_a_list(stack, user):
    rows = "external_id,title,status\nA,one,\nB,two,completed\n"
    first = user.wait_for_import(user.upload(rows, on_duplicate="update")["id"])
    assert (first["rows_created"], first["rows_updated"]) == (2, 0)
    changed = rows.replace("one", "uno") + "C,three,\nA,uno,\n"
    second = user.wait_for_import(user.upload(changed, on_duplicate="update")["id"])
    names = ("rows_created", "rows_updated", "rows_unchanged", "rows_skipped", "rows_failed", "rows_read")
    assert [second[name] for name in names] == [1, 1, 2, 0, 0, 4]
    assert {task["title"] for task in user.http.get("/api/tasks").json()["tasks"]} == {"uno", "two", "three"}
    third = user.wait_for_import(user.upload(changed, on_duplicate="skip", allow_same_file="true")["id"])
    assert (third["rows_skipped"], third["rows_read"]) == (4, 4)
    wrong = user.http.post("/api/v1/imports", files={"file": ("a.csv", rows)}, params={"on_duplicate": "merge"})
    assert wrong.status_code == 400


def test_upload_with_idempotency_key_can_be_repeated(stack, user):
    def upload_again(data: str, key: str, **options: str):
        files, headers = {"file": ("tasks.csv", data, "text/csv")}, {"idempotency-key": key}
        return user.http.post("/api/v1/imports", files=files, headers=headers, params=options)

    first = upload_again("title\nBuy milk\n", "k")
    user.wait_for_import(first.json()["id"])
    second = upload_again("title\nBuy milk\n", "k")
    assert (second.status_code, second.json()["id"]) == (202, first.json()["id"])
    assert second.json()["rows_created"] == 1
    for other in (upload_again("title\nBuy bread\n", "k"), upload_again("title\nBuy milk\n", "k", max_errors="1")):
        assert (other.status_code, other.json()["error"]["details"][0]["reason"]) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert upload_again("title\nBuy milk\n", "k k").json()["error"]["details"][0]["field"] == "idempotency_key"
    for verb, key in (("undo", "u"), ("undo", "u")):
        response = user.http.post(
            f"/api/v1/imports/{first.json()['id']}:{verb}", json={}, headers={"idempotency-key": key}
        )
        assert response.status_code == 200
    assert user.http.post("/api/v1/tasks", json={"title": "x"}, headers={"idempotency-key": "u"}).status_code == 409


def test_dry_run_reports_and_creates_nothing(stack, user):
    data = ROWS.replace("€", "Euro").replace("😀", "!").encode("windows-1252")
    dry_run = user.wait_for_import(
        user.upload(data, mapping=MAPPING, encoding="windows-1252", validate_only="true")["id"]
    )
    assert (dry_run["state"], dry_run["rows_created"], dry_run["rows_failed"]) == ("succeeded", 1, 2)
    assert user.http.get("/api/tasks").json()["tasks"] == []
    listed = user.http.get(f"/api/v1/imports/{dry_run['id']}/errors").json()["errors"]
    assert [(error["line"], error["code"]) for error in listed] == [(3, "BLANK_TITLE"), (4, "MALFORMED_DATE")]


def test_cancelled_import_keeps_its_rows_and_adds_none(stack, user):
    queued = user.upload("title\n" + "A row\n" * 200_000)
    for seen in user.watch_import(queued["id"]):
        if seen["rows_read"]:
            break
    cancelled = user.http.post(f"/api/v1/imports/{queued['id']}:cancel", json={}).json()
    assert cancelled["state"] == "cancelled"
    assert 0 < cancelled["rows_created"] < 200_000
    # When the worker has finished the next import, the count of the cancelled one is unchanged.
    assert user.wait_for_import(user.upload("title\nNext\n")["id"])["state"] == "succeeded"
    counted = stack.sql("SELECT count(*) FROM tasks.tasks WHERE import_id = %s", queued["id"])
    assert counted == [(cancelled["rows_created"],)]


def test_gzip_file_needs_content_encoding(stack, user):
    """A gzip file is imported; without Content-Encoding it is refused with a message that says so."""
    data = b"title\n" + b"A row\n" * 5000
    headers = {"content-type": "text/csv", "content-encoding": "gzip"}
    queued = user.http.post("/api/v1/imports", content=gzip.compress(data), headers=headers).json()
    done = user.wait_for_import(queued["id"])
    assert (done["state"], done["rows_created"], done["bytes_total"]) == ("succeeded", 5000, len(data))
    for request in (
        {"content": gzip.compress(data), "headers": {"content-type": "text/csv"}},
        {"files": {"file": ("tasks.csv.gz", gzip.compress(data))}},
    ):
        refused = user.http.post("/api/v1/imports", **request)
        (detail,) = refused.json()["error"]["details"]
        assert (refused.status_code, detail["reason"]) == (400, "COMPRESSED_FILE")
        assert "Content-Encoding: gzip" in detail["message"]


def test_template_names_every_column_and_is_importable(stack, user):
    template = user.http.get("/api/v1/imports:template")
    assert template.headers["content-type"] == "text/csv; charset=utf-8"
    assert template.headers["content-disposition"] == 'attachment; filename="template.csv"'
    header, _, _ = template.text.partition("\r\n")
    assert header == "title,description,status,priority,due_date,labels,external_id,assignee"
    done = user.wait_for_import(user.upload(template.content)["id"])
    assert (done["state"], done["rows_created"], done["rows_failed"], done["warnings"]) == ("succeeded", 1, 0, [])
    exported = user.http.get("/api/v1/tasks:export")
    assert exported.headers["content-disposition"] == 'attachment; filename="tasks.csv"'
    assert exported.content == template.content
    for_excel = {"bom": "true", "delimiter": ";"}
    for path in ("/api/v1/imports:template", "/api/v1/tasks:export"):
        text = user.http.get(path, params=for_excel).text
        assert text.removeprefix("\ufeff").partition("\r\n")[0] == header.replace(",", ";")
        assert text.startswith("\ufeff")


def test_header_options_are_query_parameters(stack, user):
    done = user.wait_for_import(user.upload("Buy milk,x\n", has_header="false", mapping='{"#1": "title"}')["id"])
    assert (done["rows_created"], done["warnings"]) == (1, ["The column '#2' is not used."])
    done = user.wait_for_import(user.upload("November\n\ntask\nCall mum\n", header_row="3", has_header="true")["id"])
    assert (done["rows_created"], done["rows_failed"]) == (1, 0)


def test_value_options_are_query_parameters(stack, user):
    mapping = '{"status": {"Blocked": "pending"}, "priority": {"1": "urgent"}}'
    rows = "title,status,priority\na,Blocked,1\nb,Won't do,9\n"
    done = user.wait_for_import(user.upload(rows, value_mapping=mapping, on_unknown_priority="default")["id"])
    assert (done["rows_created"], len(done["warnings"])) == (2, 1)
    tasks = user.http.get("/api/tasks").json()["tasks"]
    assert {task["title"]: (task["status"], task["priority"]) for task in tasks} == {
        "a": ("pending", "urgent"),
        "b": ("cancelled", "none"),
    }
    dates = "title,due_date\nc,1/5/2027\nd,soon\n"
    done = user.wait_for_import(user.upload(dates, date_order="mdy", on_unknown_date="empty", time_zone="UTC")["id"])
    assert done["warnings"] == ["1 row has an unreadable due date and got none (on_unknown_date=empty)."]
    tasks = user.http.get("/api/tasks").json()["tasks"]
    assert {task["title"]: task["due_date"] for task in tasks if task["due_date"]} == {"c": "2027-01-05"}
    params = {"value_mapping": '{"status": {"Blocked": "stuck"}}'}
    refused = user.http.post("/api/v1/imports", files={"file": ("a.csv", "title\nx\n")}, params=params)
    assert (refused.status_code, refused.json()["error"]["details"][0]["field"]) == (400, "value_mapping")


def test_options_of_an_inspection_are_upload_parameters(stack, user):
    """The options of an inspection can be sent with the file as they are, as query parameters or parts of a form."""
    rows = "My tasks\nTask,State,Due\nWalk,Blocked,12/31/2026\nRead,Done,1/5/2027\n"
    files = {"file": ("mine.csv", rows)}
    response = user.http.post("/api/v1/imports:inspect", files=files)
    assert response.status_code == 200
    found = response.json()
    assert [column["target"] for column in found["columns"]] == ["title", "status", "due_date"]
    assert (found["header_row"], found["date_order"]) == (2, "mdy")
    assert found["unmapped_values"] == [{"field": "status", "text": "Blocked", "proposal": "pending", "rows": 1}]
    assert [task["due_date"] for task in found["rows"]] == ["2026-12-31", "2027-01-05"]
    options = {name: value for name, value in found["options"].items() if value}
    queued = user.http.post("/api/v1/imports", files=files, params=options)
    assert queued.status_code == 202
    done = user.wait_for_import(queued.json()["id"])
    assert (done["rows_created"], done["rows_failed"]) == (2, 0)
    assert done["options"]["value_mapping"] == '{"status": {"blocked": "pending"}}'


def test_sources_are_listed(stack, user):
    sources = user.http.get("/api/v1/imports:sources").json()["sources"]
    assert {source["name"] for source in sources} >= {"jira", "trello", "todoist"}
