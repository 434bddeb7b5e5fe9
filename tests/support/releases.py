"""Folders of migrations, one for each release, that a test writes."""

from pathlib import Path
from textwrap import dedent, indent

ENVIRONMENT = """
from sqlalchemy import MetaData
from chassis.database.upgrade import run_in_environment

run_in_environment(MetaData())
"""
REVISION = '''"""{description}.

Revision ID: {revision}
"""

from alembic import op
from chassis.database.online_migration import create_index_concurrently, drop_index_concurrently, execute_in_batches

revision = {revision!r}
down_revision = {after!r}
branch_labels = {labels!r}
depends_on = {depends_on!r}


def upgrade() -> None:
{body}
'''


def create_migrations(folder: Path) -> Path:
    """Create an empty folder of migrations and return it."""
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(ENVIRONMENT)
    return folder


def write_revision(
    migrations: Path,
    revision: str,
    body: str,
    *,
    after: str | None = None,
    contract: bool = False,
    depends_on: str | None = None,
) -> None:
    """Add a revision whose function `upgrade` has this body. `contract` starts the branch of the contract phase."""
    label = "contract" if contract else "expand"
    text = REVISION.format(
        description=f"Revision {revision} of a test",
        revision=revision,
        after=after,
        labels=(label,) if after is None else None,
        depends_on=depends_on,
        body=indent(dedent(body).strip(), "    "),
    )
    (migrations / "versions" / f"{revision}_test.py").write_text(text)
