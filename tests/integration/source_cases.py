"""Files of the tools that are sources, and the tasks that they become."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from taskmanager.imports.v1 import import_service_pb2

Options = import_service_pb2.UploadOptions


class Expected(NamedTuple):
    """A task as a case expects it."""

    title: str
    status: str
    priority: str = "NONE"
    due_date: str = ""
    labels: Sequence[str] = ()
    assignee: str = ""
    external_id: str = ""
    completed_on: str = ""


class Case(NamedTuple):
    """A file of a tool and what it becomes."""

    file: str
    source: str
    tasks: Sequence[Expected]
    failed: int = 0
    skipped: int = 0
    unused: Sequence[str] = ()
    """Columns of which a warning says that they are not used."""
    options: Mapping[str, Any] = MappingProxyType({})


TODOIST = Case(
    "todoist_export",
    "todoist",
    [Expected("Buy washers", "PENDING", due_date="2026-12-31")],
    # "31 Dec" and "every mon" are no dates. The note belongs to "Buy washers"; meta and section are skipped.
    failed=2,
    skipped=3,
)
CASES_OF_SOURCES = [
    TODOIST,
    TODOIST._replace(
        tasks=[
            Expected("Ring the plumber", "PENDING", "URGENT", labels=["home"]),
            Expected("Buy washers", "PENDING", due_date="2026-12-31"),
            Expected("Post the letters", "PENDING", "MEDIUM"),
        ],
        failed=0,
        options={"on_unknown_date": Options.ON_UNKNOWN_DATE_EMPTY},
    ),
    Case(
        "asana_export",
        "asana",
        [
            Expected(
                "Draft the menu", "PENDING", "NONE", "2026-12-31", ["kitchen", "party"], "ann", "1209000000000001"
            ),
            Expected(
                "Send invitations",
                "COMPLETED",
                due_date="2026-11-09",
                external_id="1209000000000002",
                completed_on="2026-11-10",
            ),
            Expected("Ask for allergies", "IN_PROGRESS", assignee="ben", external_id="1209000000000003"),
        ],
    ),
    Case(
        "trello_export",
        "trello",
        [
            Expected(
                *("Paint the shed", "PENDING", "NONE", "2026-12-31", ["garden", "weekend"], "ann"),
                external_id="64aa0000000000000000a001",
            ),
            Expected(
                *("Order paint", "COMPLETED", "NONE", "2026-11-12", ["garden"]), external_id="64aa0000000000000000a002"
            ),
        ],
        skipped=1,
    ),
    Case(
        "jira_current_fields",
        "jira",
        [
            Expected(
                *("Login fails on Safari", "PENDING", "HIGH", "2026-12-31", ["backend", "login"]), external_id="WEB-1"
            ),
            Expected("Upgrade the router", "IN_PROGRESS", "URGENT", external_id="WEB-2"),
            Expected("Old report", "COMPLETED", "LOW", labels=["infra"], external_id="WEB-3"),
        ],
    ),
    Case(
        "linear_export",
        "linear",
        [
            Expected(
                *("Fix the login", "IN_PROGRESS", "URGENT", "2026-12-31", ["Bug", "Frontend"], "ann"),
                external_id="ENG-1",
            ),
            Expected("Write the changelog", "COMPLETED", external_id="ENG-2", completed_on="2026-11-10"),
            Expected("Rewrite in a new language", "CANCELLED", "LOW", labels=["Idea"], external_id="ENG-3"),
        ],
    ),
    Case(
        "notion_export",
        "",
        [
            Expected("Plan the trip", "PENDING", "HIGH", "2026-12-31", ["family", "travel"]),
            Expected("Book the hotel", "IN_PROGRESS", "MEDIUM", "2026-12-31", ["travel"]),
            Expected("Buy tickets", "COMPLETED", "LOW", "2026-12-02"),
        ],
    ),
    Case(
        "clickup_export",
        "clickup",
        [
            Expected(
                *("Sow the beans", "PENDING", "HIGH", "2026-12-31", ["garden", "spring"]), external_id="86aaaaaa1"
            ),
            Expected("Mow the lawn", "IN_PROGRESS", external_id="86aaaaaa2"),
            Expected("Prune the roses", "COMPLETED", "URGENT", external_id="86aaaaaa3"),
        ],
        unused=["Attachments", "Time Estimated", "Checklists", "Comments"],
    ),
    Case(
        "github_export",
        "github",
        [
            Expected("Typing in Safari is slow", "IN_PROGRESS", labels=["bug", "performance"], assignee="ann"),
            Expected("Update the logo", "PENDING"),
            Expected("Drop old browsers", "COMPLETED", labels=["infra"]),
        ],
    ),
    Case(
        "gitlab_export",
        "gitlab",
        [
            Expected("Rotate the keys", "PENDING", due_date="2026-12-31", labels=["ops", "security"], assignee="ben"),
            Expected("Renew the certificate", "COMPLETED", completed_on="2026-11-10"),
        ],
    ),
    Case(
        "ms_planner_export",
        "planner",
        [
            Expected("Book the room", "PENDING", "HIGH", "2026-12-31", ["Blue", "Red"], external_id="aBcD1"),
            Expected("Order food", "COMPLETED", "MEDIUM", external_id="aBcD2"),
        ],
    ),
    Case(
        "ticktick_backup",
        "ticktick",
        [
            Expected("Sow the beans", "PENDING", "HIGH", "2026-12-31", ["garden", "spring"]),
            Expected("Order seeds", "COMPLETED", completed_on="2026-11-10"),
            Expected("Learn to fly", "CANCELLED", "LOW"),
        ],
    ),
    Case(
        "kanboard_export",
        "kanboard",
        [
            Expected("Paint the fence", "PENDING", "HIGH", "2026-12-31", ["Outside", "garden", "weekend"], "ben"),
            Expected("Order paint", "COMPLETED", completed_on="2026-11-20"),
        ],
    ),
    Case(
        "outlook_tasks",
        "outlook",
        [
            Expected("Call the plumber", "PENDING", "HIGH", "2026-12-31", ["Home", "Urgent calls"]),
            Expected("Pay the rent", "COMPLETED", "MEDIUM", "2026-11-30", completed_on="2026-11-20"),
        ],
        unused=["% Complete", "Total Work", "Actual Work"],
    ),
    Case(
        "gitlab_work_items",
        "gitlab",
        [
            Expected("Rotate the keys", "PENDING", due_date="2026-12-31", labels=["ops", "security"], assignee="ben"),
            Expected("Renew the certificate", "COMPLETED", completed_on="2026-11-10"),
        ],
    ),
    Case(
        "clickup_table_view",
        "clickup",
        [
            Expected(
                *("Sow the beans", "PENDING", "HIGH", "2026-12-31", ["garden", "spring"], "ann"),
                external_id="86aaaaab1",
            ),
            Expected("Water them", "COMPLETED", external_id="86aaaaab2"),
        ],
        unused=["Task Type"],
    ),
    Case(
        "todoist_deadlines",
        "todoist",
        [
            Expected("Buy paint", "PENDING", "HIGH", "2026-12-30", ["shop"]),
            Expected("Return the old pots", "PENDING"),
        ],
        skipped=2,
    ),
    Case(
        "asana_without_sections",
        "asana",
        [
            Expected("Draft the menu", "PENDING", due_date="2026-12-31", external_id="1209000000000011"),
            Expected("Send invitations", "COMPLETED", external_id="1209000000000012", completed_on="2026-11-10"),
            Expected("Ask for allergies", "PENDING", labels=["Recently assigned"], external_id="1209000000000013"),
        ],
    ),
    Case(
        "jira_by_key",
        "jira",
        [
            Expected(*("Login fails on Safari", "PENDING", "URGENT", "2026-12-31", ["backend"]), external_id="WEB-1"),
            Expected(
                *("Upgrade the router", "COMPLETED", "LOW", "2026-12-31"),
                external_id="WEB-2",
                completed_on="2026-11-03",
            ),
        ],
    ),
    Case(
        "github_team_view",
        "github",
        [
            Expected("Typing in Safari is slow", "PENDING", "URGENT", assignee="ann"),
            Expected("Update the logo", "IN_PROGRESS"),
        ],
    ),
    Case(
        "own_export_saved_by_excel_de_csv_utf8",
        "taskmanager",
        [
            Expected("👩\u200d👩\u200d👧 é", "CANCELLED", "LOW", "2026-03-04", external_id="a-1"),
            Expected("'tis", "IN_PROGRESS", "URGENT", external_id="1.209E+19"),
            Expected("=1+1", "PENDING", "NONE", "2027-02-03", external_id="1.00E+05"),
            Expected("Zo\u00eb\u2019s caf\u00e9", "COMPLETED", "HIGH", "2026-12-31", ["a b", "büro"], external_id="7"),
        ],
    ),
]
