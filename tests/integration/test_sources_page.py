"""The table of tools in docs/imports.md: its options import the file of each tool."""

import re
from pathlib import Path

import pytest
from taskmanager.imports.v1 import import_pb2

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases" / "csv"


def lines_of_the_page() -> list[tuple[str, dict[str, str]]]:
    """Return the tools of the page with the options that it names."""
    page = (ROOT / "docs" / "imports.md").read_text("utf-8")
    section = page.partition("## Coming from another tool")[2].partition("\n##")[0]
    rows = re.findall(r"^\| (?!tool|---)([^|]+?) \|[^|]*\|([^|]*)\|", section, re.MULTILINE)
    return [(tool, dict(re.findall(r"`(\w+)=([^`]*)`", options))) for tool, options in rows]


FILES_OF_TOOLS: dict[str, str] = {
    "Todoist": "todoist_export",
    "Asana": "asana_export",
    "Trello": "trello_export",
    "Jira": "jira_current_fields",
    "Linear": "linear_export",
    "Notion": "notion_export",
    "ClickUp": "clickup_export",
    "GitHub": "github_export",
    "GitLab": "gitlab_export",
    "Planner": "ms_planner_export",
    "TickTick": "ticktick_backup",
    "Kanboard": "kanboard_export",
    "Outlook": "outlook_tasks",
    "this task manager": "own_export_saved_by_excel_de_csv_utf8",
}


@pytest.mark.parametrize(("tool", "options"), lines_of_the_page(), ids=str)
async def test_line_of_the_page_imports_the_file_of_its_tool(import_file, tool, options):
    data = (CASES / f"{FILES_OF_TOOLS[tool]}.csv").read_bytes()
    done, titles = await import_file(data, **options)
    assert done.state == import_pb2.Import.STATE_SUCCEEDED
    assert titles
    assert done.rows_failed == (2 if tool == "Todoist" else 1 if tool == "this task manager" else 0)


def test_page_has_a_line_for_every_source():
    assert {tool for tool, _ in lines_of_the_page()} == FILES_OF_TOOLS.keys()
