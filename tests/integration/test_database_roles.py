"""Statements that PostgreSQL refuses to each service's database role, whatever the service sends."""

import psycopg
import pytest

from chassis.database.provision import _ensure_role
from chassis.testing.database import temporary_database
from tests.support.database import Database

REFUSED = {
    "auth_app": [
        "SELECT 1 FROM tasks.tasks",
        "INSERT INTO tasks.task_events DEFAULT VALUES",
        "SELECT 1 FROM tasks.alembic_version",
        "UPDATE auth.security_events SET kind = 'nothing'",
        "DELETE FROM auth.security_events",
        "TRUNCATE auth.security_events",
        "DELETE FROM auth.users",
        "UPDATE auth.signing_keys SET public_key = ''",
        "DELETE FROM auth.signing_keys",
    ],
    "tasks_app": [
        "SELECT 1 FROM auth.users",
        "SELECT 1 FROM auth.signing_keys",
        "INSERT INTO auth.revocations (session_id, expires_at) VALUES (gen_random_uuid(), now())",
        "UPDATE tasks.task_events SET action = 'created'",
        "UPDATE tasks.task_events SET free_text = NULL, salt = NULL",
        "UPDATE tasks.event_log SET epoch = 1",
        "SELECT setval('tasks.transaction_numbers', 1)",
        "DELETE FROM tasks.task_events",
        "TRUNCATE tasks.task_events",
        "UPDATE tasks.history_blocks SET number = 1",
        "DELETE FROM tasks.history_blocks",
        "TRUNCATE tasks.history_blocks",
    ],
}
DEFINITIONS = [
    "CREATE TABLE {schema}.mine (id int)",
    "CREATE TABLE public.mine (id int)",
    "CREATE SCHEMA mine",
    "CREATE ROLE mine",
    "CREATE EXTENSION pg_trgm",
    "ALTER TABLE {table} ADD COLUMN mine int",
    "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "DROP TABLE {table}",
    "CREATE INDEX mine ON {table} (id)",
    "GRANT ALL ON {table} TO PUBLIC",
    "SET ROLE {owner}",
    "ALTER ROLE {owner} PASSWORD 'x'",
    "COPY {table} TO PROGRAM 'true'",
]


def statements():
    for role, own in REFUSED.items():
        schema = role.removesuffix("_app")
        names = {"schema": schema, "owner": f"{schema}_owner"}
        names["table"] = "auth.users" if schema == "auth" else "tasks.task_events"
        yield from ((role, statement) for statement in own)
        yield from ((role, statement.format(**names)) for statement in DEFINITIONS)


@pytest.fixture(scope="module")
def shared_database(postgres, template):
    """One database for all tests that only read."""
    with temporary_database(postgres, template=template) as url:
        yield Database(url)


@pytest.mark.parametrize(("role", "statement"), list(statements()))
def test_app_role_lacks_privileges_its_service_never_uses(shared_database, role, statement):
    with psycopg.connect(shared_database.url(role)) as connection:
        if statement.startswith("GRANT"):
            # PostgreSQL only warns when a role may not grant, and grants nothing.
            connection.execute(statement)
            connection.commit()
            granted = connection.execute(
                "SELECT count(*) FROM information_schema.role_table_grants WHERE grantee = 'PUBLIC'"
                " AND table_schema IN ('auth', 'tasks')"
            )
            assert granted.fetchone() == (0,)
            return
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as refusal:
            connection.execute(statement)
    assert refusal.value.sqlstate == "42501"


@pytest.mark.parametrize("role", REFUSED)
@pytest.mark.parametrize(
    ("setting", "value"),
    [("statement_timeout", "15s"), ("lock_timeout", "5s"), ("idle_in_transaction_session_timeout", "30s")],
)
def test_app_role_has_timeouts(shared_database, role, setting, value):
    with psycopg.connect(shared_database.url(role)) as connection:
        assert connection.execute(f"SHOW {setting}").fetchone() == (value,)


def test_app_role_cannot_delete_recent_security_events(postgres, template):
    """The app role cannot delete security events of the last 90 days, whatever time it passes."""
    with temporary_database(postgres, template=template) as url:
        database = Database(url)
        with psycopg.connect(database.auth_url) as connection:
            for days in (0, 1, 89, 91, 400):
                connection.execute(
                    "INSERT INTO auth.security_events (id, occurred_at, kind, request_id, details)"
                    " VALUES (gen_random_uuid(), now() - %s * interval '1 day', %s, '', '{}')",
                    [days, str(days)],
                )
            for before in ("now() + interval '10 years'", "'infinity'", "NULL"):
                connection.execute(f"SELECT auth.delete_expired_security_events({before}, 1000)")
            remaining = connection.execute("SELECT kind FROM auth.security_events ORDER BY occurred_at").fetchall()
    assert remaining == [("89",), ("1",), ("0",)]


def test_security_definer_functions_fix_search_path(shared_database):
    """Functions that run as their owner fix search_path, and PUBLIC may not execute them."""
    with psycopg.connect(shared_database.administrator_url) as connection:
        functions = connection.execute(
            "SELECT proname, proconfig, has_function_privilege('public', oid, 'EXECUTE') FROM pg_proc"
            " WHERE prosecdef AND pronamespace::regnamespace::text IN ('auth', 'tasks')"
        ).fetchall()
    assert "delete_expired_security_events" in [name for name, _, _ in functions]
    assert {(tuple(config), anybody) for _, config, anybody in functions} == {
        (("search_path=pg_catalog, pg_temp",), False)
    }


def test_role_password_is_in_no_logged_statement(postgres):
    # The server sends its log to the client, too.
    with psycopg.connect(postgres, options="-c log_statement=all -c client_min_messages=log") as connection:
        notices: list[str] = []
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        _ensure_role(connection, "somebody_new", "canary")
        _ensure_role(connection, "somebody_new", "canary")
        connection.rollback()
    assert [notice for notice in notices if "CREATE ROLE" in notice]
    assert [notice for notice in notices if "ALTER ROLE" in notice]
    assert [notice for notice in notices if "canary" in notice] == []
