"""Creation of a service's two roles and its schema, which only a database administrator may do."""

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from chassis.database.connection import SOCKET_OPTIONS

# Set on the role and not on the connection, so that they also apply behind a connection pooler.
APP_SETTINGS = {
    "statement_timeout": "15s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
}


def provision(*, administrator_url: str, owner_url: str, app_url: str, schema: str) -> None:
    """Create the owner role and the app role, with the passwords of their URLs, and the schema. Safe to run again.

    The owner migrates the schema. The app role may use the schema, and the objects in it that migrations grant to it.
    """
    owner, app = conninfo_to_dict(owner_url), conninfo_to_dict(app_url)
    with psycopg.connect(administrator_url, **SOCKET_OPTIONS) as connection:
        # Services provision concurrently, and roles belong to the whole cluster.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('chassis.provision'))")
        for role in (owner, app):
            _ensure_role(connection, str(role["user"]), str(role.get("password") or ""))
        names = {
            "owner": sql.Identifier(str(owner["user"])),
            "app": sql.Identifier(str(app["user"])),
            "schema": sql.Identifier(schema),
            "database": sql.Identifier(connection.info.dbname),
        }
        for statement in (
            "GRANT {owner} TO CURRENT_USER",  # required to create a schema for another role
            "CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner}",
            "GRANT USAGE ON SCHEMA {schema} TO {app}",
            "GRANT CONNECT ON DATABASE {database} TO {owner}, {app}",
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
            "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC",
        ):
            connection.execute(sql.SQL(statement).format(**names))
        for name, value in {**APP_SETTINGS, "search_path": schema}.items():
            connection.execute(
                sql.SQL("ALTER ROLE {app} SET {name} = {value}").format(
                    app=names["app"], name=sql.Identifier(name), value=sql.Literal(value)
                )
            )


def _ensure_role(connection: psycopg.Connection, name: str, password: str) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    # Hashed on the client: otherwise the statement log of the server would contain the password.
    verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    connection.execute(
        sql.SQL("{verb} ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {verifier}").format(
            verb=sql.SQL("ALTER" if exists else "CREATE"), name=sql.Identifier(name), verifier=sql.Literal(verifier)
        )
    )
