"""Creation of a service's two roles and its schema, which only a database administrator may do."""

import sys
from dataclasses import dataclass

import psycopg
import structlog
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from chassis.database.connection import SOCKET_OPTIONS
from chassis.database.settings import SchemaName
from chassis.database.url import PostgresUrl
from chassis.logs import LogLevel
from chassis.settings import Settings

# Set on the role and not on the connection, so that they also apply behind a connection pooler.
APP_SETTINGS = {
    "statement_timeout": "15s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
    # Lists read dates as text, and the driver reads times in no other style.
    "datestyle": "ISO",
}

log = structlog.get_logger("provision")


class ProvisionSettings(Settings):
    """Settings of `provision`. A service's subclass adds its prefix and the default of the schema."""

    log_level: LogLevel = "info"
    provision_database_url: PostgresUrl
    """Postgres URL of an administrator, who may create roles and schemas."""
    owner_database_url: PostgresUrl
    """Postgres URL of the role that owns the schema and migrates it."""
    database_url: PostgresUrl
    """Postgres URL of the role that the service uses."""
    database_schema: SchemaName
    """Schema to create."""


class CannotProvision(Exception):
    """A setting, a role or a schema does not fit. The text is one line."""


@dataclass(frozen=True, slots=True)
class Login:
    """Role that logs in with a password, and the setting that names it."""

    variable: str
    role: str
    password: str

    @classmethod
    def parse(cls, variable: str, url: str, *, role: str) -> "Login":
        """Return the login of a URL. Raises CannotProvision for another role, or if the URL has no password."""
        parts = conninfo_to_dict(url)
        if parts.get("user") != role:
            message = f"{variable}: its role must be {role}, because the migrations grant rights to this name"
            raise CannotProvision(message)
        if not parts.get("password"):
            message = f"{variable}: has no password, and provision sets the password of the role"
            raise CannotProvision(message)
        return cls(variable, role, str(parts["password"]))


def run_provision(settings: ProvisionSettings, *, owner_role: str, app_role: str) -> None:
    """Provision, or print one line for the problem and exit with status 2."""
    prefix = settings.model_config.get("env_prefix", "")
    administrator = f"{prefix}PROVISION_DATABASE_URL"
    owner_url, app_url = settings.owner_database_url.get_secret_value(), settings.database_url.get_secret_value()
    try:
        provision(
            administrator_url=settings.provision_database_url.get_secret_value(),
            owner=Login.parse(f"{prefix}OWNER_DATABASE_URL", owner_url, role=owner_role),
            app=Login.parse(f"{prefix}DATABASE_URL", app_url, role=app_role),
            schema=settings.database_schema,
        )
    except CannotProvision as error:
        problem = str(error)
    except psycopg.errors.InsufficientPrivilege as error:
        problem = (
            f"{administrator}: its role may not do this: {error.diag.message_primary}."
            " Use a superuser, or a role with CREATEROLE that may create schemas in the database"
        )
    except psycopg.OperationalError as error:
        problem = f"{administrator}: {' '.join(str(error).split())}"
    else:
        log.info("provisioned", schema=settings.database_schema, owner=owner_role, app=app_role)
        return
    sys.stderr.write(f"{problem}\n")
    raise SystemExit(2)


def provision(*, administrator_url: str, owner: Login, app: Login, schema: str) -> None:
    """Create the owner role and the app role, with the passwords of their URLs, and the schema. Safe to run again.

    The owner migrates the schema. The app role may use the schema, and the objects in it that migrations grant to it.

    Raises:
        CannotProvision: a role or the schema exists for another purpose. Nothing is changed then.

    """
    with psycopg.connect(administrator_url, **SOCKET_OPTIONS) as connection:
        # Services provision concurrently, and roles belong to the whole cluster.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('chassis.provision'))")
        for login in (owner, app):
            _refuse_foreign_role(connection, login, schema)
            _ensure_role(connection, login.role, login.password)
        _refuse_foreign_schema(connection, schema, owner.role)
        names = {
            "owner": sql.Identifier(owner.role),
            "app": sql.Identifier(app.role),
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
        # The statements of the services name no schema.
        for role, settings in ((owner.role, {}), (app.role, APP_SETTINGS)):
            for name, value in {**settings, "search_path": schema}.items():
                connection.execute(
                    sql.SQL("ALTER ROLE {role} SET {name} = {value}").format(
                        role=sql.Identifier(role), name=sql.Identifier(name), value=sql.Literal(value)
                    )
                )


def _refuse_foreign_role(connection: psycopg.Connection, login: Login, schema: str) -> None:
    row = connection.execute(
        """
        SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls, rolcanlogin,
            (SELECT substr(s, 13) FROM unnest(rolconfig) AS s WHERE s LIKE 'search\\_path=%%')
        FROM pg_roles WHERE rolname = %s
        """,
        [login.role],
    ).fetchone()
    if row is None:
        return
    is_powerful, can_log_in, search_path = row
    if is_powerful:
        message = f"{login.variable}: role {login.role} exists with the rights of an administrator"
        raise CannotProvision(message)
    if not can_log_in:
        message = f"{login.variable}: role {login.role} exists and may not log in: it is a group of roles"
        raise CannotProvision(message)
    if search_path not in (None, schema):
        message = (
            f"{login.variable}: role {login.role} has search_path {search_path}, not {schema}."
            f" If it should move, run ALTER ROLE {login.role} RESET search_path first"
        )
        raise CannotProvision(message)


def _refuse_foreign_schema(connection: psycopg.Connection, schema: str, owner: str) -> None:
    row = connection.execute("SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = %s", [schema]).fetchone()
    if row is not None and row[0] != owner:
        message = f"schema {schema} exists and belongs to role {row[0]}, not to {owner}"
        raise CannotProvision(message)


def _ensure_role(connection: psycopg.Connection, name: str, password: str) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    # Hashed on the client: otherwise the statement log of the server would contain the password.
    verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    connection.execute(
        sql.SQL("{verb} ROLE {name} LOGIN PASSWORD {verifier}").format(
            verb=sql.SQL("ALTER" if exists else "CREATE"), name=sql.Identifier(name), verifier=sql.Literal(verifier)
        )
    )
