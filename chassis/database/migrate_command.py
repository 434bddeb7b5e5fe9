"""Command line of `migrate`, and the exit status of a failed migration."""

import argparse
import sys
from pathlib import Path

from chassis.database.migrate import MigrationSettings, migrate, plan
from chassis.database.migration_plan import MigrationError
from chassis.database.revisions import Phase
from chassis.logs import configure_logging
from chassis.settings import load_settings


def run_migrate(service: str, settings_class: type[MigrationSettings], *, app_role: str, migrations: Path) -> None:
    """Run the command. Exit with status 2 if a setting is wrong, and with 1 and one line if the migration fails."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {service}.commands.migrate",
        description="Migrate the schema: the expand phase, which services of the last release tolerate.",
        epilog="docs/upgrades.md has the steps of an upgrade. Settings are environment variables (.env.example).",
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--plan", action="store_true", help="print the revisions that would run, as SQL; change nothing"
    )
    choice.add_argument(
        "--contract",
        action="store_true",
        help="remove what only older releases need, when none of them runs any more",
    )
    arguments = parser.parse_args()
    settings = load_settings(settings_class)
    configure_logging(settings.log_level, service)
    try:
        if arguments.plan:
            print(plan(settings, migrations=migrations))  # noqa: T201 - output of the command
        else:
            phase = Phase.CONTRACT if arguments.contract else Phase.EXPAND
            migrate(settings, app_role=app_role, migrations=migrations, phase=phase)
    except MigrationError as error:
        sys.exit(str(error))
