"""Values as other tools write them, imported through the services and the worker's own code."""

import json
from pathlib import Path

import grpc
import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

CASES = Path(__file__).parents[1] / "cases" / "csv"
LEAVE_EMPTY = import_service_pb2.UploadOptions.ON_UNKNOWN_ASSIGNEE_LEAVE_EMPTY
CLICKUP_VALUES = {"priority": {"1": "urgent", "2": "high", "null": None}, "due_date": {"null": None}}


async def tasks_of(system, done: import_pb2.Import) -> list[task_pb2.Task]:
    sonu = await system.login("sonu@example.com")
    request = task_service_pb2.ListTasksRequest(import_id=done.id, order_by="created_at", page_size=200)
    return list((await system.tasks.ListTasks(request, metadata=sonu.metadata)).tasks)


def values_of(task: task_pb2.Task) -> tuple[str, str, str, str, list[str]]:
    return (
        task.title,
        task_pb2.Task.Status.Name(task.status).removeprefix("STATUS_"),
        task_pb2.Task.Priority.Name(task.priority).removeprefix("PRIORITY_"),
        task.due_date,
        sorted(task.labels),
    )


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        (
            "google_sheets_checkbox",
            {"date_order": import_service_pb2.UploadOptions.DATE_ORDER_MDY},
            [
                ("Water plants", "COMPLETED", "HIGH", "2026-12-31"),
                ("Pay rent", "PENDING", "URGENT", "2027-01-05"),
            ],
        ),
        (
            "google_sheets_checkbox",
            {},
            [("Water plants", "COMPLETED", "HIGH", "2026-12-31")],
        ),
        (
            "own_export_saved_by_excel_de_csv_utf8",
            {},
            [
                ("\U0001f469\u200d\U0001f469\u200d\U0001f467 \u00e9", "CANCELLED", "LOW", "2026-03-04"),
                ("'tis", "IN_PROGRESS", "URGENT", ""),
                ("=1+1", "PENDING", "NONE", "2027-02-03"),
                ("Zo\u00eb\u2019s caf\u00e9", "COMPLETED", "HIGH", "2026-12-31"),
            ],
        ),
    ],
    ids=["Google Sheets", "Google Sheets without an order", "Excel"],
)
async def test_values_of_a_file_are_understood(system, import_file, name, options, expected):
    # The files have names of colleagues in the column of assignees.
    for colleague in ("u680c9823cd", "ann"):
        await system.new_user(colleague)
    done, _ = await import_file((CASES / f"{name}.csv").read_bytes(), **options)
    assert [values_of(task)[:4] for task in await tasks_of(system, done)] == expected


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        (
            "jira_current_fields",
            {},
            [
                ("Login fails on Safari", "PENDING", "HIGH", "2026-12-31", ["backend", "login"]),
                ("Upgrade the router", "IN_PROGRESS", "URGENT", "", []),
                ("Old report", "COMPLETED", "LOW", "", ["infra"]),
            ],
        ),
        (
            "clickup_export",
            {"value_mapping": json.dumps(CLICKUP_VALUES)},
            [
                ("Sow the beans", "PENDING", "HIGH", "2026-12-31", ["garden", "spring"]),
                ("Mow the lawn", "IN_PROGRESS", "NONE", "", []),
                ("Prune the roses", "COMPLETED", "URGENT", "", []),
            ],
        ),
        (
            "ms_planner_export",
            {"label_separator": ";"},
            [
                ("Book the room", "PENDING", "HIGH", "2026-12-31", ["Blue", "Red"]),
                ("Order food", "COMPLETED", "MEDIUM", "", []),
            ],
        ),
    ],
    ids=["Jira", "ClickUp", "Planner"],
)
async def test_labels_of_a_file_are_understood(system, import_file, name, options, expected):
    """The assignees are names of people who are no users."""
    done, _ = await import_file((CASES / f"{name}.csv").read_bytes(), on_unknown_assignee=LEAVE_EMPTY, **options)
    assert done.rows_failed == 0
    assert any("unknown assignee" in warning for warning in done.warnings)
    sonu = await system.login("sonu@example.com")
    request = task_service_pb2.ListTasksRequest(import_id=done.id, order_by="created_at")
    tasks = (await system.tasks.ListTasks(request, metadata=sonu.metadata)).tasks
    values = [
        (
            task.title,
            task_pb2.Task.Status.Name(task.status).removeprefix("STATUS_"),
            task_pb2.Task.Priority.Name(task.priority).removeprefix("PRIORITY_"),
            task.due_date,
            sorted(task.labels),
        )
        for task in tasks
    ]
    assert values == expected
    assert not any(task.assignee_id for task in tasks)


async def test_assignees_of_asana_are_found_by_email(system, import_file):
    """The column Assignee has people's full names, and is ignored."""
    ann, ben = await system.new_user("ann"), await system.new_user("ben")
    done, _ = await import_file((CASES / "asana_export.csv").read_bytes())
    sonu = await system.login("sonu@example.com")
    request = task_service_pb2.ListTasksRequest(import_id=done.id, order_by="created_at")
    tasks = (await system.tasks.ListTasks(request, metadata=sonu.metadata)).tasks
    assert (done.state, done.rows_failed) == (import_pb2.Import.STATE_SUCCEEDED, 0)
    assert [(task.title, task.assignee_id) for task in tasks] == [
        ("Draft the menu", ann.id),
        ("Send invitations", ""),
        ("Ask for allergies", ben.id),
    ]


async def test_file_with_too_many_unknown_emails_fails(import_file):
    """The worker's batches together exceed the limit, and the file is imported without the column."""
    rows = (f"task {number},nobody{number % 501}@example.com\n" for number in range(3000))
    file = ("Name,Assignee Email\n" + "".join(rows)).encode()
    failed, _ = await import_file(file, validate_only=True)
    assert (failed.state, failed.failure.code) == (import_pb2.Import.STATE_FAILED, "TOO_MANY_UNKNOWN_EMAILS")
    done, _ = await import_file(file, mapping='{"Assignee Email": null}')
    assert (done.state, done.rows_created) == (import_pb2.Import.STATE_SUCCEEDED, 3000)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        (
            "notion_export",
            {"value_mapping": '{"due_date": {"December 1, 2026 9:00 AM → December 2, 2026": "2026-12-02"}}'},
            [
                ("Plan the trip", "PENDING", "HIGH", "2026-12-31", ["family", "travel"]),
                ("Book the hotel", "IN_PROGRESS", "MEDIUM", "2026-12-31", ["travel"]),
                ("Buy tickets", "COMPLETED", "LOW", "2026-12-02", []),
            ],
        ),
        (
            "clickup_export",
            {"null_values": "null|[]|{}", "value_mapping": '{"priority": {"1": "urgent", "2": "high"}}'},
            [
                ("Sow the beans", "PENDING", "HIGH", "2026-12-31", ["garden", "spring"]),
                ("Mow the lawn", "IN_PROGRESS", "NONE", "", []),
                ("Prune the roses", "COMPLETED", "URGENT", "", []),
            ],
        ),
        (
            "trello_export",
            {
                "mapping": '{"Card Name": "title", "Card Description": "description", "List Name": "status_or_label"}',
                "strip_label_colors": True,
            },
            [
                ("Paint the shed", "PENDING", "NONE", "2026-12-31", ["garden", "weekend"]),
                ("Order paint", "COMPLETED", "NONE", "2026-11-12", ["garden"]),
                ("Old idea", "PENDING", "NONE", "", []),
            ],
        ),
        (
            "asana_export",
            {"mapping": '{"Section/Column": "status_or_label", "Task ID": "external_id", "Projects": "append"}'},
            [
                ("Draft the menu", "PENDING", "NONE", "2026-12-31", ["kitchen", "party"]),
                ("Send invitations", "COMPLETED", "NONE", "2026-11-09", []),
                ("Ask for allergies", "IN_PROGRESS", "NONE", "", []),
            ],
        ),
    ],
    ids=["Notion", "ClickUp", "Trello", "Asana"],
)
async def test_columns_that_share_a_field_are_understood(system, import_file, name, options, expected):
    done, _ = await import_file(
        (CASES / f"{name}.csv").read_bytes(), on_unknown_assignee=LEAVE_EMPTY, source="none", **options
    )
    assert done.rows_failed == 0
    assert [values_of(task) for task in await tasks_of(system, done)] == expected


async def test_appended_columns_and_labels_of_titles(system, import_file):
    """The rows of a Todoist file that are no tasks have no title, and a date that repeats is left empty."""
    file = (CASES / "todoist_export.csv").read_bytes()
    done, _ = await import_file(
        file,
        mapping="title:CONTENT,append:AUTHOR,append:DURATION,time_zone:TIMEZONE,due_date:DATE",
        value_mapping='{"priority": {"1": "urgent", "3": "medium", "4": null}}',
        null_values="none",
        title_label_prefix="@",
        on_unknown_assignee=LEAVE_EMPTY,
        on_unknown_date=import_service_pb2.UploadOptions.ON_UNKNOWN_DATE_EMPTY,
        source="none",
    )
    tasks = {task.title: task for task in await tasks_of(system, done)}
    assert values_of(tasks["Ring the plumber"]) == ("Ring the plumber", "PENDING", "URGENT", "", ["home"])
    assert tasks["Ring the plumber"].description == "About the tap\n\nAUTHOR: Ann (101)"
    assert tasks["Buy washers"].description == "AUTHOR: Ann (101)\nDURATION: 30"
    assert tasks["Buy washers"].due_date == "2026-12-31"
    assert "2 rows have an unreadable due date and got none (on_unknown_date=empty)." in done.warnings


async def test_rounded_external_ids_are_counted(system, import_file):
    await system.new_user("u680c9823cd")
    done, _ = await import_file((CASES / "own_export_saved_by_excel_de_csv_utf8.csv").read_bytes())
    warning = "2 rows have an external_id such as 1.21E+08, which a spreadsheet has rounded."
    assert (done.rows_created, list(done.warnings)) == (4, [f"{warning} Import the original file instead."])
    assert {task.external_id for task in await tasks_of(system, done)} == {"a-1", "1.209E+19", "1.00E+05", "7"}


async def test_errors_csv_of_composed_values_can_be_corrected(system, import_file):
    """The corrected file needs the same options."""
    options = {"mapping": "status_or_label:Section,append:URL", "title_label_prefix": "@", "null_values": "-"}
    file = b"Task,Section,Done,URL,Notes\n@x =1,Garden,3/5,'-,'-1 @y\n@a b,Doing,no,u,\n"
    done, titles = await import_file(file, **options)
    assert (titles, done.rows_failed) == (["b"], 1)
    sonu = await system.login("sonu@example.com")
    request = import_service_pb2.ListImportErrorsRequest(import_id=done.id)
    errors = (await system.imports.ListImportErrors(request, metadata=sonu.metadata)).errors
    assert [(error.column, error.code, error.value) for error in errors] == [("done", "UNKNOWN_STATUS", "3/5")]
    download = import_service_pb2.DownloadImportErrorsRequest(import_id=done.id)
    parts = [part.data async for part in system.imports.DownloadImportErrors(download, metadata=sonu.metadata)]
    mended, _ = await import_file(b"".join(parts).replace(b"3/5", b"yes"), **options)
    (task,) = await tasks_of(system, mended)
    assert values_of(task) == ("=1", "COMPLETED", "NONE", "", ["Garden", "x"])
    assert task.description == "-1 @y"


@pytest.mark.parametrize(
    "zero", ["0001-01-01T00:00:00Z", "1/1/0001 12:00:00 AM", "0000-00-00 00:00:00", "00.00.0000", "12/30/1899", "0"]
)
async def test_zero_date_is_no_date(system, import_file, zero):
    """A tool's text for no date neither completes a task nor becomes its due date."""
    done, _ = await import_file(f"Task,Due,Completed At\na,{zero},{zero}\n".encode())
    assert [values_of(task)[:4] for task in await tasks_of(system, done)] == [("a", "PENDING", "NONE", "")]
    done, _ = await import_file(f"Task,Completed\na,{zero}\n".encode())
    assert [values_of(task)[1] for task in await tasks_of(system, done)] == ["PENDING"]


@pytest.mark.parametrize(
    "cell", ['"[""bug"",""needs work""]"', "\"['bug', 'needs work']\"", '"bug\nneeds work"', '"[{""name"":""bug""}]"']
)
async def test_lists_of_programs_are_labels(system, import_file, cell):
    """The quotes and braces of a list do not become parts of labels."""
    done, _ = await import_file(f"Task,Labels\na,{cell}\n".encode())
    expected = ["bug"] if "name" in cell else ["bug", "needs work"]
    assert [values_of(task)[4] for task in await tasks_of(system, done)] == [expected]


async def test_column_of_percentages_is_the_status(system, import_file):
    """A 1 without a sign can be 1% or the whole, so its row is an error."""
    file = "Task,% Complete\na,100%\nb,50 %\nc,0\nd,100\ne,0.5\nf,1\n"
    done, _ = await import_file(file.encode())
    found = {task.title: values_of(task)[1] for task in await tasks_of(system, done)}
    assert found == {"a": "COMPLETED", "b": "IN_PROGRESS", "c": "PENDING", "d": "COMPLETED", "e": "IN_PROGRESS"}
    assert done.rows_failed == 1
    done, _ = await import_file(b"Task,Status,% Complete\na,Done,30\n")
    assert [values_of(task)[1] for task in await tasks_of(system, done)] == ["COMPLETED"]


@pytest.mark.parametrize("column", ["Resolution", "stateReason"])
async def test_resolution_is_found_by_its_name(system, import_file, column):
    file = f"Summary,Status,{column}\na,CLOSED,NOT_PLANNED\nb,RESOLVED,WONTFIX\nc,Closed,Fixed\nd,New,---\n"
    done, _ = await import_file(file.encode())
    found = [values_of(task)[1] for task in await tasks_of(system, done)]
    assert found == ["CANCELLED", "CANCELLED", "COMPLETED", "PENDING"]


async def test_mailbox_is_the_assignee_with_its_email(system, import_file):
    """The whole text counts neither as a name nor as a further unknown email."""
    ann = await system.new_user("ann")
    file = b'Task,Assigned To\na,Ann Lee <ann@example.com>\nb,"""Lee, Ann"" <ann@example.com>"\nc,<ann@example.com>\n'
    done, _ = await import_file(file)
    assert [task.assignee_id for task in await tasks_of(system, done)] == [ann.id] * 3
    done, _ = await import_file(b"Task,Assigned To\na,Ann <ann@example.com> Ben <ben@example.com>\n")
    assert (done.rows_created, done.rows_failed) == (0, 1)


async def test_spreadsheet_in_another_language(system, import_file):
    """Excel writes truth values and decimal points of its language."""
    done, _ = await import_file("Task;Done;Due\na;WAHR;46387,75\nb;FALSCH;2026年12月31日\n".encode())
    found = [values_of(task)[:4] for task in await tasks_of(system, done)]
    assert found == [("a", "COMPLETED", "NONE", "2026-12-31"), ("b", "PENDING", "NONE", "2026-12-31")]


async def test_all_statuses_of_outlook_are_known(system, import_file):
    header, first, _ = (CASES / "outlook_tasks.csv").read_text("utf-8").splitlines()
    statuses = ["Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred"]
    rows = [first.replace("Not Started", status) for status in statuses]
    done, _ = await import_file("\n".join([header, *rows]).encode())
    found = [values_of(task)[1] for task in await tasks_of(system, done)]
    assert (done.source_detected, found) == ("outlook", ["PENDING", "IN_PROGRESS", "COMPLETED", "PENDING", "PENDING"])


async def test_date_of_a_done_column_is_the_completion_time(system, import_file):
    """Another text of the column, such as a truth value, is no unreadable time. An ambiguous date is one."""
    file = "Task,Completed\na,2026-03-05T10:00:00Z\nb,TRUE\nc,100%\nd,1/5/2026\ne,FALSE\n"
    done, _ = await import_file(file.encode())
    tasks = {task.title: task for task in await tasks_of(system, done)}
    assert tasks["a"].completed_at.ToJsonString() == "2026-03-05T10:00:00Z"
    assert [title for title, task in tasks.items() if task.status == task_pb2.Task.STATUS_COMPLETED] == list("abcd")
    assert all(tasks[title].completed_at == tasks[title].created_at for title in "bcd")
    assert [warning for warning in done.warnings if "completion time" in warning] == [
        "1 row has a completion time that was left empty: it is unreadable, before 1900 or in the future."
    ]
    done, _ = await import_file(b"Task,Completed,Completed At\na,TRUE,2026-03-05\nb,2026-03-04,\n")
    tasks = {task.title: task for task in await tasks_of(system, done)}
    assert tasks["a"].completed_at.ToJsonString() == "2026-03-05T00:00:00Z"
    assert tasks["b"].completed_at == tasks["b"].created_at


async def test_update_takes_the_date_of_a_done_column(system, import_file):
    update = import_service_pb2.UploadOptions.ON_DUPLICATE_UPDATE
    await import_file(b"Task,external_id,Done\na,1,\n")
    done, _ = await import_file(b"Task,external_id,Done\na,1,2026-03-05\n", on_duplicate=update)
    assert done.rows_updated == 1
    sonu = await system.login("sonu@example.com")
    tasks = (await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(), metadata=sonu.metadata)).tasks
    assert [task.completed_at.ToJsonString() for task in tasks] == ["2026-03-05T00:00:00Z"]


async def test_filter_knows_the_truth_values_of_spreadsheets(system, import_file):
    """A file of Trello that Excel has saved in German has WAHR for an archived card."""
    text = (CASES / "trello_export.csv").read_text("utf-8").replace("true", "WAHR").replace("false", "FALSCH")
    done, _ = await import_file(text.encode(), on_unknown_assignee=LEAVE_EMPTY)
    assert (done.source_detected, done.rows_skipped, done.rows_failed) == ("trello", 1, 0)
    found = [values_of(task)[:2] for task in await tasks_of(system, done)]
    assert found == [("Paint the shed", "PENDING"), ("Order paint", "COMPLETED")]


async def test_file_without_column_names_is_explained(import_file):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await import_file(b"Buy milk,done\nPay rent,open\n")
    assert "set has_header=false" in str(refused.value.details())
