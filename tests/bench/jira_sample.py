"""Sample file with the columns of a Jira export: words of other tools, labels in two columns, appended text."""

import csv
import io
from datetime import datetime, timedelta

from deploy.local.demo.sample import Sample

_HEADER = (
    *("Summary", "Issue key", "Issue id", "Issue Type", "Status", "Project key", "Priority", "Resolution", "Assignee"),
    *("Reporter", "Created", "Updated", "Due date", "Labels", "Labels", "Description"),
)
_TYPES = ("Bug", "Task", "Story")
_STATUSES = (("To Do", ""), ("In Progress", ""), ("Done", "Done"), ("In Review", ""), ("Closed", "Won't Do"))
_PRIORITIES = ("Highest", "High", "Medium", "Low", "Lowest")
_LABELS = ("backend", "login", "infra", "")
_FIRST_DAY = datetime(2026, 1, 1, 9, 12)  # noqa: DTZ001 - a file of Jira has no time zones


def make_jira_sample(rows: int) -> Sample:
    """Return a file with this number of rows. Each has a key of its own, which becomes the external_id."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(_HEADER)
    writer.writerows(map(_row, range(rows)))
    return Sample(content=file.getvalue().encode(), rows=rows, invalid_rows=0)


def _row(index: int) -> tuple[str, ...]:
    status, resolution = _STATUSES[index % len(_STATUSES)]
    day = _FIRST_DAY + timedelta(days=index % 365)
    return (
        f"Login fails on device {index + 1}",
        f"WEB-{index + 1}",
        str(10_000 + index),
        _TYPES[index % len(_TYPES)],
        status,
        "WEB",
        _PRIORITIES[index % len(_PRIORITIES)],
        resolution,
        "",
        "Ben Roth",
        f"{day:%d/%b/%y %-I:%M %p}",
        f"{day:%d/%b/%y %-I:%M %p}",
        f"{day:%d/%b/%y} 12:00 AM",
        _LABELS[index % len(_LABELS)],
        _LABELS[index // 2 % len(_LABELS)],
        f"Steps:\n# open page {index + 1}" if index % 10 == 0 else "",
    )
