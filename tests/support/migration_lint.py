"""Check of migrations with squawk: `python -m tests.support.migration_lint`. No table rewrite, no long lock.

squawk reads the SQL of each revision, and finds also what old services do not survive. docs/upgrades.md has the rules.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from alembic.script import Script

import auth_service.persistence.schema
import auth_service.settings
import task_service.persistence.schema
import task_service.settings
from chassis.database.migration_plan import render_sql
from chassis.database.revisions import Phase, RevisionHistory, phase_of, required_revision

MIGRATIONS = {
    auth_service.settings.DEFAULT_SCHEMA: auth_service.persistence.schema.MIGRATIONS,
    task_service.settings.DEFAULT_SCHEMA: task_service.persistence.schema.MIGRATIONS,
}
"""Folders of migrations, by schema."""
BASELINE = {"auth": "0010", "tasks": "0014"}
"""Last revisions from before the rules. Nothing was released then, so no service ran while they did."""
ACCEPTED: Mapping[tuple[str, str, str], str] = {}
"""Findings that are accepted: schema, revision and rule, with the reason."""

SET_BY_MIGRATE = ("require-lock-timeout", "require-statement-timeout")
STYLE = (
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-timestamp-tz",
)
ALLOWED = {
    # A new release that no longer writes a column needs it: the old one always writes it.
    Phase.EXPAND: ("ban-drop-not-null",),
    # No old service runs any more.
    Phase.CONTRACT: (
        "ban-drop-column",
        "ban-drop-constraint",
        "ban-drop-default",
        "ban-drop-not-null",
        "ban-drop-table",
    ),
}


def findings(script: Script, schema: str) -> Iterator[tuple[str, str]]:
    """Yield the rules that a revision breaks, each with an explanation."""
    phase = phase_of(script)
    if phase is Phase.CONTRACT:
        required_revision(script)
    excluded = (*SET_BY_MIGRATE, *STYLE, *ALLOWED[phase])
    squawk = subprocess.run(
        [
            Path(sys.executable).parent / "squawk",
            *("--reporter", "json", "--pg-version", "17"),
            *(argument for rule in excluded for argument in ("--exclude", rule)),
        ],
        input=render_sql(script, schema),
        capture_output=True,
        text=True,
        check=False,
    )
    found: list[dict[str, Any]] = json.loads(squawk.stdout)
    for each in found:
        yield each["rule_name"], each["message"]


def check(schema: str, migrations: Path, baseline: str) -> Iterator[str]:
    """Yield one line for each broken rule in the revisions after the baseline."""
    for script in RevisionHistory(schema, migrations).pending([baseline]):
        for rule, message in findings(script, schema):
            if (schema, script.revision, rule) not in ACCEPTED:
                yield f"{schema} {script.revision}: {rule}: {message}"


def main() -> None:
    lines = [line for schema, migrations in MIGRATIONS.items() for line in check(schema, migrations, BASELINE[schema])]
    if lines:
        sys.exit("\n".join([*lines, "docs/upgrades.md shows how to write such a migration."]))
    print("every migration after the baseline takes no long lock")  # noqa: T201 - output of the command


if __name__ == "__main__":
    main()
