"""Environment of Alembic. auth_service.commands.migrate runs it."""

from auth_service.persistence.tables import metadata
from chassis.database.upgrade import run_in_environment

run_in_environment(metadata)
