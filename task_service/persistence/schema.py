"""Schema of the service and the folder of its migrations."""

from pathlib import Path

SCHEMA = "tasks"
MIGRATIONS = Path(__file__).parent / "migrations"
