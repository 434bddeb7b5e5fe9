"""Alembic's way in; run by auth_service.commands.migrate."""

from auth_service.persistence.tables import metadata
from chassis.database.migrate import run_in_environment

run_in_environment(metadata)
