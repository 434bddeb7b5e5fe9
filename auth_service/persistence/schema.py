"""Schema of the service and the folder of its migrations."""

from pathlib import Path

SCHEMA = "auth"
MIGRATIONS = Path(__file__).parent / "migrations"
