"""Schema of the service and the folder of its migrations."""

from pathlib import Path

APP_ROLE, OWNER_ROLE = "tasks_app", "tasks_owner"
"""Database roles of the service. The migrations grant rights to the first and run as the second."""
MIGRATIONS = Path(__file__).parent / "migrations"
