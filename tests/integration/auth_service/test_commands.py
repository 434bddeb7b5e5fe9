"""Operator commands, run as processes."""

import asyncio
import base64
import json

import psycopg
import pytest

from auth_service.bootstrap import open_use_cases
from auth_service.domain.accounts import Registration
from chassis.testing.database import temporary_database
from tests.integration.auth_service.auth_server import ENCRYPTION_KEY, PASSWORD, running_auth_server
from tests.support.commands import command_runner
from tests.support.database import Database
from tests.support.grpc_calls import refused
from tests.support.waiting import until

SECRET = base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()
CREDENTIAL = f"import_worker.{SECRET}"
ADMIN = {
    "AUTH_BOOTSTRAP_ADMIN_USERNAME": "ada",
    "AUTH_BOOTSTRAP_ADMIN_EMAIL": "ada@example.com",
    "AUTH_BOOTSTRAP_ADMIN_PASSWORD": "a canary in the mine",
}
SERVICES = {
    "AUTH_BOOTSTRAP_SERVICES": json.dumps(
        [{"name": "import_worker", "scopes": ["imports:ingest"], "credential": CREDENTIAL}]
    )
}


@pytest.fixture
def command(database):
    """Run a command and return its exit status, stdout and stderr."""
    environment = {
        "AUTH_DATABASE_URL": database.auth_url,
        "AUTH_KEY_ENCRYPTION_KEY": base64.b64encode(ENCRYPTION_KEY).decode(),
        "AUTH_ARGON2_MEMORY_KIB": "8",
    }
    return command_runner("auth_service", "AUTH", environment)


async def test_repeated_bootstrap_creates_everything_once(command, database, settings):
    """Two concurrent runs and a third one create each account and key once."""
    for status, out, err in [
        *await asyncio.gather(*(command("bootstrap", **ADMIN, **SERVICES) for _ in range(2))),
        await command("bootstrap", **ADMIN, **SERVICES),
    ]:
        assert status == 0, err
        assert "canary" not in out + err
        assert SECRET not in out + err
    assert database.rows("SELECT username, role FROM auth.users") == [("ada", "admin")]
    assert database.rows("SELECT count(*) FROM auth.signing_keys") == [(1,)]
    async with running_auth_server(settings) as auth_server:
        assert list((await auth_server.service_token(CREDENTIAL)).scopes) == ["imports:ingest"]
        assert (await auth_server.login("ada@example.com", "a canary in the mine")).user.username == "ada"


async def test_repeated_bootstrap_accepts_an_existing_admin(command, database):
    """Rules for new usernames and passwords do not stop the start of an installation that has an admin already."""
    assert (await command("bootstrap", **ADMIN))[0] == 0
    older_rules = {**ADMIN, "AUTH_BOOTSTRAP_ADMIN_USERNAME": "\u0430da", "AUTH_BOOTSTRAP_ADMIN_PASSWORD": "short"}
    status, _, err = await command("bootstrap", **older_rules)
    assert status == 0, err
    assert database.rows("SELECT username FROM auth.users") == [("ada",)]
    database.rows("UPDATE auth.users SET role = 'user'")
    assert (await command("bootstrap", **older_rules))[0] == 1


async def test_bootstrap_updates_secret_and_scopes(command, settings):
    await command("bootstrap", **SERVICES)
    new_credential = "import_worker." + base64.urlsafe_b64encode(bytes([7] * 32)).rstrip(b"=").decode()
    entries = [{"name": "import_worker", "scopes": ["imports:ingest", "trust:read"], "credential": new_credential}]
    assert (await command("bootstrap", AUTH_BOOTSTRAP_SERVICES=json.dumps(entries)))[0] == 0
    async with running_auth_server(settings) as auth_server:
        assert list((await auth_server.service_token(new_credential)).scopes) == ["imports:ingest", "trust:read"]
        assert (await refused(auth_server.service_token(CREDENTIAL))).reason == "INVALID_SERVICE_CREDENTIAL"


async def test_bootstrap_records_each_change_once(command, database):
    entries = [{"name": "import_worker", "scopes": ["imports:ingest", "trust:read"], "credential": CREDENTIAL}]
    for _ in range(2):
        await command("bootstrap", **SERVICES)
    for _ in range(2):
        await command("bootstrap", AUTH_BOOTSTRAP_SERVICES=json.dumps(entries))
    assert database.rows("SELECT kind, details->>'scopes' FROM auth.security_events ORDER BY id") == [
        ("service_created", "imports:ingest"),
        ("service_changed", "imports:ingest trust:read"),
    ]


async def test_service_disabled_during_bootstrap_stays_disabled(command, database):
    await command("bootstrap", **SERVICES)
    new_credential = "import_worker." + base64.urlsafe_b64encode(bytes([7] * 32)).rstrip(b"=").decode()
    entries = [{"name": "import_worker", "scopes": ["imports:ingest"], "credential": new_credential}]
    async with await psycopg.AsyncConnection.connect(database.administrator_url) as admin:
        await admin.execute("UPDATE auth.service_accounts SET disabled = true, epoch = epoch + 1")
        running = asyncio.create_task(command("bootstrap", AUTH_BOOTSTRAP_SERVICES=json.dumps(entries)))
        lock_waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'auth_app'"
        await until(lambda: database.rows(lock_waits) != [])
        await admin.commit()
        assert (await running)[0] == 0
    assert database.rows("SELECT disabled, epoch FROM auth.service_accounts") == [(True, 2)]


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ("[", "must be a JSON list"),
        ('[{"name": "a", "scopes": ["tasks:read"], "credential": "a.canary"}]', "32 random bytes"),
        (
            json.dumps([{"name": "b", "scopes": ["tasks:read"], "credential": CREDENTIAL}]),
            "the credential has another name than the service",
        ),
        (
            json.dumps([{"name": "import_worker", "scopes": ["all"], "credential": CREDENTIAL}]),
            "scopes: Unknown scope",
        ),
    ],
)
async def test_bootstrap_error_hides_the_secret(command, services, message):
    """Bootstrap rejects an invalid service entry with a message that does not contain its secret."""
    status, _, err = await command("bootstrap", AUTH_BOOTSTRAP_SERVICES=services)
    assert status != 0
    assert message in err
    assert "Traceback" not in err
    assert "canary" not in err
    assert SECRET not in err


async def test_bootstrap_rejects_a_short_admin_password(command, database):
    status, _, err = await command("bootstrap", **{**ADMIN, "AUTH_BOOTSTRAP_ADMIN_PASSWORD": "canary"})
    assert status == 1
    assert "password: The password is too short. Use at least 12 characters." in err
    assert "canary" not in err
    assert database.rows("SELECT * FROM auth.users") == []


async def test_create_service_prints_only_a_credential(command, settings):
    status, out, err = await command(
        "create_service", "--name", "reports", "--scope", "tasks:read", "--scope", "tasks:write"
    )
    assert status == 0, err
    credential = out.removesuffix("\n")
    assert credential not in err
    async with running_auth_server(settings) as auth_server:
        assert list((await auth_server.service_token(credential)).scopes) == ["tasks:read", "tasks:write"]
    status, out, err = await command("create_service", "--name", "reports", "--scope", "tasks:read")
    assert (status, out) == (1, "")
    assert "A service account with this name already exists. Rotate its credential, or choose another name." in err


async def test_create_admin_reads_the_environment_password(command, database, settings):
    arguments = ("create_admin", "--username", "grace", "--email", "grace@example.com")
    status, out, err = await command(*arguments, AUTH_ADMIN_PASSWORD="a canary in the mine")
    assert status == 0, err
    assert "canary" not in out + err
    async with running_auth_server(settings) as auth_server:
        token = (await auth_server.login("grace@example.com", "a canary in the mine")).access_token
        assert (await auth_server.me(token)).username == "grace"
    status, _, err = await command(*arguments, AUTH_ADMIN_PASSWORD="a canary in the mine")
    assert status == 1
    assert "Another account has this username." in err


async def test_command_on_an_unmigrated_database_says_so(command, postgres, database):
    with temporary_database(postgres) as url:
        status, _, err = await command("bootstrap", AUTH_DATABASE_URL=Database(url).auth_url)
    assert (status, err) == (
        1,
        "The role of AUTH_DATABASE_URL does not find the tables. Run provision and migrate first.\n",
    )


async def test_every_wrong_setting_is_reported(command):
    status, _, err = await command(
        "bootstrap", AUTH_DATABASE_URL="", AUTH_KEY_ENCRYPTION_KEY="canary", AUTH_PASSWORD_MIN_LENGTH="0"
    )
    assert status == 2
    for name in ("AUTH_DATABASE_URL", "AUTH_KEY_ENCRYPTION_KEY", "AUTH_PASSWORD_MIN_LENGTH"):
        assert name in err
    assert "canary" not in err


async def test_concurrent_first_admins_create_one(settings, database):
    candidates = [
        Registration(f"admin{number}", f"admin{number}@example.com", PASSWORD, role="admin") for number in range(10)
    ]
    async with open_use_cases(settings) as use_cases:
        admins = await asyncio.gather(
            *(use_cases.operators.create_admin(admin, only_if_none=True) for admin in candidates)
        )
    assert len([admin for admin in admins if admin is not None]) == 1
    assert database.rows("SELECT count(*) FROM auth.users") == [(1,)]


async def test_rotate_keys_command_rejects_a_second_rotation(command, database):
    """A second rotation is rejected until the new key is active."""
    await command("bootstrap", **SERVICES)
    status, out, err = await command("rotate_keys")
    assert (status, out) == (0, ""), err
    assert "activates_at" in err
    status, _, err = await command("rotate_keys")
    assert (status, "A new signing key is published but does not sign yet" in err) == (1, True)
    assert database.rows("SELECT count(*), count(retires_at) FROM auth.signing_keys") == [(2, 1)]
    assert database.rows("SELECT kind FROM auth.security_events WHERE kind LIKE 'key%'") == [("key_rotated",)]


async def test_create_admin_without_a_terminal_names_the_variable(command, database):
    """The password can't be asked for, so that nothing is created."""
    status, _, err = await command("create_admin", "--username", "ada", "--email", "ada@example.com")
    assert status == 2
    assert err.splitlines()[-1].endswith("error: Set AUTH_ADMIN_PASSWORD, or run it in a terminal.")
    assert "Traceback" not in err
    assert database.rows("SELECT count(*) FROM auth.users") == [(0,)]


async def test_arguments_that_are_no_text_are_refused(command, database):
    """Bytes that are not UTF-8 end a command with one line, also in the password."""
    password = {"AUTH_ADMIN_PASSWORD": "a canary in the mine"}
    admin = ("create_admin", "--username", "ada", "--email", "ada@example.com")
    for arguments, environment, status, message in (
        (("create_admin", "--username", "\udcff", "--email", "ada@example.com"), password, 1, "username: "),
        (("create_admin", "--username", "ada", "--email", "\udcff@example.com"), password, 1, "email: "),
        (("create_service", "--name", "\udcff", "--scope", "tasks:read"), {}, 1, "name: "),
        (admin, {"AUTH_ADMIN_PASSWORD": "canary\udcff"}, 2, "AUTH_ADMIN_PASSWORD: must be UTF-8 text"),
        (("bootstrap",), {**ADMIN, "AUTH_BOOTSTRAP_ADMIN_PASSWORD": "canary\udcff"}, 2, "AUTH_BOOTSTRAP_ADMIN_PASS"),
    ):
        code, out, err = await command(*arguments, **environment)
        assert (code, out, len(err.splitlines())) == (status, "", 1), err
        assert err.startswith(message)
        assert "canary" not in err
    assert database.rows("SELECT * FROM auth.users") == []
