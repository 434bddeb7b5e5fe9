"""Alembic's entry."""

from chassis.database.upgrade import run_in_environment
from task_service.persistence.tables import metadata

run_in_environment(metadata)
