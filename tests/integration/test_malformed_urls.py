"""Programs that start with a mistyped URL: they name the setting, never show the URL, and exit at once."""

import pytest

from tests.integration.started_programs import PASSWORD, run

POSTGRES = f"postgresq://role:{PASSWORD}@127.0.0.1/db"
REDIS = f"redis://:5/{PASSWORD}@127.0.0.1/0"
ID = "0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e"

PROGRAMS = {
    "auth_service": ({"AUTH_DATABASE_URL": POSTGRES}, []),
    "auth_service.commands.migrate": ({"AUTH_OWNER_DATABASE_URL": POSTGRES}, []),
    "auth_service.commands.rotate_keys": ({"AUTH_DATABASE_URL": POSTGRES}, []),
    "task_service": ({"TASKS_DATABASE_URL": POSTGRES, "TASKS_REDIS_URL": REDIS}, []),
    "task_service.commands.erase": ({"TASKS_OWNER_DATABASE_URL": POSTGRES}, ["--owner", ID]),
    "task_service.commands.verify": ({"TASKS_DATABASE_URL": POSTGRES}, []),
    "import_worker": ({"IMPORT_WORKER_REDIS_URL": REDIS}, []),
    "gateway": ({"GATEWAY_RATE_LIMIT_STORAGE_URL": REDIS}, []),
}


@pytest.mark.parametrize("module", PROGRAMS)
async def test_malformed_url_stops_the_start(module):
    environment, arguments = PROGRAMS[module]
    status, output = await run(module, environment, *arguments)
    assert status == 2
    assert [name for name in environment if f"{name}: " not in output] == []
    assert PASSWORD not in output
    assert "Traceback" not in output


@pytest.mark.parametrize(("option", "url"), [("--postgres-url", POSTGRES), ("--redis-url", REDIS)])
async def test_malformed_url_stops_the_local_stack(tmp_path, option, url):
    status, output = await run("deploy.local", {}, "run", "--data-dir", str(tmp_path), option, url)
    assert status == 2
    assert f"argument {option}: must be" in output
    assert PASSWORD not in output
