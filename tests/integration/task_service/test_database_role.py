"""Rights of the database role of the service: they limit an attacker who controls it."""

import psycopg
import pytest


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tasks.task_events SET actor_id = task_id",
        "DELETE FROM tasks.task_events",
        "TRUNCATE tasks.task_events",
        "ALTER TABLE tasks.tasks ADD COLUMN x int",
        "CREATE TABLE tasks.x (y int)",
        "CREATE TABLE public.x (y int)",
        "SELECT * FROM auth.users",
    ],
)
async def test_app_role_can_not_change_history_or_schema(database, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await database.execute(statement, role="tasks_app")


async def test_app_role_has_timeouts(database):
    for setting in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        assert await database.execute(f"SHOW {setting}", role="tasks_app") != [("0",)]
