"""What operators run, as they run it: processes with an environment."""

import asyncio
import base64
import json

import psycopg
import pytest

from auth_service.bootstrap import assembled
from auth_service.domain.accounts import Registration
from chassis.testing.database import temporary_database
from tests.integration.auth_service.door import ENCRYPTION_KEY, PASSWORD, opened
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
    """Runs a command to its end; answers its exit status, stdout and stderr."""
    own = {
        "AUTH_DATABASE_URL": database.auth_url,
        "AUTH_KEY_ENCRYPTION_KEY": base64.b64encode(ENCRYPTION_KEY).decode(),
        "AUTH_ARGON2_MEMORY_KIB": "8",
    }
    return command_runner("auth_service", "AUTH", own)


async def test_bootstrap_twice_at_once_and_once_more_makes_everything_once(command, database, settings):
    for status, out, err in [
        *await asyncio.gather(*(command("bootstrap", **ADMIN, **SERVICES) for _ in range(2))),
        await command("bootstrap", **ADMIN, **SERVICES),
    ]:
        assert status == 0, err
        assert "canary" not in out + err
        assert SECRET not in out + err
    assert database.rows("SELECT username, role FROM auth.users") == [("ada", "admin")]
    assert database.rows("SELECT count(*) FROM auth.signing_keys") == [(1,)]
    async with opened(settings) as door:
        assert list((await door.service_token(CREDENTIAL)).scopes) == ["imports:ingest"]
        assert (await door.login("ada@example.com", "a canary in the mine")).user.username == "ada"


async def test_bootstrap_brings_a_service_up_to_its_new_secret_and_scopes(command, settings):
    await command("bootstrap", **SERVICES)
    renewed = "import_worker." + base64.urlsafe_b64encode(bytes([7] * 32)).rstrip(b"=").decode()
    changed = [{"name": "import_worker", "scopes": ["imports:ingest", "trust:read"], "credential": renewed}]
    assert (await command("bootstrap", AUTH_BOOTSTRAP_SERVICES=json.dumps(changed)))[0] == 0
    async with opened(settings) as door:
        assert list((await door.service_token(renewed)).scopes) == ["imports:ingest", "trust:read"]
        assert (await refused(door.service_token(CREDENTIAL))).reason == "INVALID_SERVICE_CREDENTIAL"


async def test_what_bootstrap_does_to_services_is_in_the_log_of_security_events_once(command, database):
    changed = [{"name": "import_worker", "scopes": ["imports:ingest", "trust:read"], "credential": CREDENTIAL}]
    for _ in range(2):
        await command("bootstrap", **SERVICES)
    for _ in range(2):
        await command("bootstrap", AUTH_BOOTSTRAP_SERVICES=json.dumps(changed))
    assert database.rows("SELECT kind, details->>'scopes' FROM auth.security_events ORDER BY id") == [
        ("service_created", "imports:ingest"),
        ("service_changed", "imports:ingest trust:read"),
    ]


async def test_a_service_that_an_admin_disables_while_bootstrap_runs_stays_disabled(command, database):
    await command("bootstrap", **SERVICES)
    renewed = "import_worker." + base64.urlsafe_b64encode(bytes([7] * 32)).rstrip(b"=").decode()
    changed = [{"name": "import_worker", "scopes": ["imports:ingest"], "credential": renewed}]
    async with await psycopg.AsyncConnection.connect(database.administrator_url) as admin:
        await admin.execute("UPDATE auth.service_accounts SET disabled = true, epoch = epoch + 1")
        running = asyncio.create_task(command("bootstrap", AUTH_BOOTSTRAP_SERVICES=json.dumps(changed)))
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'auth_app'"
        await until(lambda: database.rows(waiting) != [])
        await admin.commit()
        assert (await running)[0] == 0
    assert database.rows("SELECT disabled, epoch FROM auth.service_accounts") == [(True, 2)]


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ("[", "must be JSON"),
        ('[{"name": "a", "scopes": ["tasks:read"], "credential": "a.canary"}]', "32 random bytes"),
        (json.dumps([{"name": "b", "scopes": ["tasks:read"], "credential": CREDENTIAL}]), "another service's"),
        (
            json.dumps([{"name": "import_worker", "scopes": ["all"], "credential": CREDENTIAL}]),
            "scopes: There is no scope",
        ),
    ],
)
async def test_a_service_that_cannot_be_is_refused_in_plain_words_without_its_secret(command, services, said):
    status, _, err = await command("bootstrap", AUTH_BOOTSTRAP_SERVICES=services)
    assert status != 0
    assert said in err
    assert "Traceback" not in err
    assert "canary" not in err
    assert SECRET not in err


async def test_a_first_admin_whose_password_is_too_short_is_refused_in_plain_words(command, database):
    status, _, err = await command("bootstrap", **{**ADMIN, "AUTH_BOOTSTRAP_ADMIN_PASSWORD": "canary"})
    assert status == 1
    assert "password: A password has at least 12 characters." in err
    assert "canary" not in err
    assert database.rows("SELECT * FROM auth.users") == []


async def test_create_service_prints_a_credential_that_works_and_nothing_else(command, settings):
    status, out, err = await command(
        "create_service", "--name", "reports", "--scope", "tasks:read", "--scope", "tasks:write"
    )
    assert status == 0, err
    credential = out.removesuffix("\n")
    assert credential not in err
    async with opened(settings) as door:
        assert list((await door.service_token(credential)).scopes) == ["tasks:read", "tasks:write"]
    status, out, err = await command("create_service", "--name", "reports", "--scope", "tasks:read")
    assert (status, out) == (1, "")
    assert "A service account of this name exists already: rotate its credential, or take another name." in err


async def test_create_admin_makes_another_admin_with_the_password_from_the_environment(command, database, settings):
    arguments = ("create_admin", "--username", "grace", "--email", "grace@example.com")
    status, out, err = await command(*arguments, AUTH_ADMIN_PASSWORD="a canary in the mine")
    assert status == 0, err
    assert "canary" not in out + err
    async with opened(settings) as door:
        token = (await door.login("grace@example.com", "a canary in the mine")).access_token
        assert (await door.me(token)).username == "grace"
    status, _, err = await command(*arguments, AUTH_ADMIN_PASSWORD="a canary in the mine")
    assert status == 1
    assert "Another account has this username." in err


async def test_a_command_before_the_migration_says_what_to_do(command, postgres, database):
    with temporary_database(postgres) as url:
        status, _, err = await command("bootstrap", AUTH_DATABASE_URL=Database(url).auth_url)
    assert status == 1
    assert "python -m auth_service.commands.migrate" in err


async def test_every_setting_that_is_wrong_is_named_at_once(command):
    status, _, err = await command(
        "bootstrap", AUTH_DATABASE_URL="", AUTH_KEY_ENCRYPTION_KEY="canary", AUTH_PASSWORD_MIN_LENGTH="0"
    )
    assert status == 2
    for name in ("AUTH_DATABASE_URL", "AUTH_KEY_ENCRYPTION_KEY", "AUTH_PASSWORD_MIN_LENGTH"):
        assert name in err
    assert "canary" not in err


async def test_ten_first_admins_at_once_are_one(settings, database):
    candidates = [
        Registration(f"admin{number}", f"admin{number}@example.com", PASSWORD, role="admin") for number in range(10)
    ]
    async with assembled(settings) as use_cases:
        made = await asyncio.gather(*(use_cases.create_admin(admin, only_first=True) for admin in candidates))
    assert len([admin for admin in made if admin is not None]) == 1
    assert database.rows("SELECT count(*) FROM auth.users") == [(1,)]


async def test_keys_are_rotated_by_a_command_and_not_twice_in_a_minute(command, database):
    await command("bootstrap", **SERVICES)
    status, out, err = await command("rotate_keys")
    assert (status, out) == (0, ""), err
    assert "activates_at" in err
    status, _, err = await command("rotate_keys")
    assert (status, "published already" in err) == (1, True)
    assert database.rows("SELECT count(*), count(retires_at) FROM auth.signing_keys") == [(2, 1)]
    assert database.rows("SELECT kind FROM auth.security_events WHERE kind LIKE 'key%'") == [("key_rotated",)]
