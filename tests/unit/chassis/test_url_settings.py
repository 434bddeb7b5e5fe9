"""Mistyped URLs: every error names the setting and never shows the URL, which may hold a password."""

import importlib
import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from chassis.settings import Settings, load_settings

MODULES = (
    "auth_service.commands.bootstrap",
    "auth_service.commands.create_admin",
    "auth_service.commands.migrate",
    "auth_service.commands.provision",
    "auth_service.settings",
    "deploy.backup.settings",
    "gateway.settings",
    "import_worker.settings",
    "task_service.commands.erase",
    "task_service.commands.migrate",
    "task_service.commands.provision",
    "task_service.commands.verify",
    "task_service.settings",
)

# Each holds the password hunter2, or a part of it where it is not encoded.
MALFORMED = {
    "database_url": [
        "hunter2",
        "postgresq://role:hunter2@host/db",
        "postgresql:/role:hunter2@host/db",
        "postgresql+psycopg://role:hunter2@host/db",
        "host=host user=role password=hunter2",
        "postgresql://role:hun/ter2@host/db",
        "postgresql://role:5/hunter2@host/db",
        "postgresql://role:hun@ter2@host/db",
        "postgresql://role:hun%zzter2@host/db",
        "postgresql://role:hunter2@[host/db",
        "postgresql://role:hunter2",
        "postgresql://role:hunter2@host:5432x/db",
        "postgresql://role:hunter2@host:hunter2/db",
        "postgresql://role:hunter2@host/d b",
        "postgresql://role:hunter2@host/db?sslmod=hunter2",
    ],
    "redis_url": [
        "hunter2",
        "redi://:hunter2@host/0",
        "redis:/:hunter2@host/0",
        "redis://:hun/ter2@host/0",
        "redis://:5/hunter2@host/0",
        "redis://:hun#ter2@host/0",
        "redis://user:5#hunter2@host/0",
        "redis://user:5?hunter2@host/0",
        "redis://[:hunter2@host/0",
        "redis://:hunter2@host:6379x/0",
        "redis://:hunter2@host/first",
        "redis://:hunter2@",
    ],
    "store_url": [
        "hunter2",
        "s3x://KEY:hunter2@bucket",
        "s3://KEY:hunter2@bucket",
        "file://hunter2",
        "s3://",
        "s3://[hunter2",
    ],
}
MALFORMED["storage_url"] = MALFORMED["redis_url"]

VALID = {
    "database_url": [
        "postgresql://role:hunter2@host:5432/db?sslmode=verify-full",
        "postgres://role@[::1]/db",
        "postgresql://role:p%40ss%2Fword%25@one:5432,two:5433/db",
        "postgresql:///db?host=/run/postgresql",
        "postgresql://%2Frun%2Fpostgresql/db",
        "postgresql://host/db?user=role",
        "postgresql://127.0.0.1:1/db",
    ],
    "redis_url": ["redis://host", "redis://:p@ss@host:6379/0", "rediss://user:x@host/1?ssl_cert_reqs=required"],
    "store_url": ["file:///var/uploads", "s3://bucket/prefix", "gs://bucket", "az://container", "memory:///"],
    "storage_url": ["memory://", "redis://host/0", "rediss://host"],
}


def settings_classes(base: type[Settings] = Settings) -> Iterator[type[Settings]]:
    """Yield the settings classes of all services and commands."""
    for found in base.__subclasses__():
        if not found.__module__.startswith("tests."):
            yield found
        yield from settings_classes(found)


def url_settings() -> list[tuple[type[Settings], str]]:
    for module in MODULES:
        importlib.import_module(module)
    return [(found, name) for found in settings_classes() for name in found.model_fields if name.endswith("_url")]


URL_SETTINGS = url_settings()
IDS = [f"{found.__name__}.{name}" for found, name in URL_SETTINGS]


def kind_of(name: str) -> str:
    return next(kind for kind in MALFORMED if name.endswith(kind))


def variable_of(settings: type[Settings], name: str) -> str:
    return (settings.model_config.get("env_prefix", "") + name).upper()


def errors(monkeypatch, capsys, settings: type[Settings], name: str, url: str) -> tuple[str, str]:
    """Return the line about this setting, and all other output; other settings may be missing."""
    for variable in [*os.environ]:
        if variable.startswith(("AUTH_", "TASKS_", "GATEWAY_", "IMPORT_WORKER_")):
            monkeypatch.delenv(variable)
    variable = variable_of(settings, name)
    monkeypatch.setenv(variable, url)
    with suppress(SystemExit):
        load_settings(settings)
    lines = "".join(capsys.readouterr()).splitlines(keepends=True)
    return (
        "".join(line for line in lines if line.startswith(f"{variable}: ")),
        "".join(line for line in lines if not line.startswith(f"{variable}: ")),
    )


def test_url_settings_of_all_programs_are_found():
    assert {found.__module__.partition(".")[0] for found, _ in URL_SETTINGS} == {
        "auth_service",
        "chassis",
        "deploy",
        "gateway",
        "import_worker",
        "task_service",
    }


@pytest.mark.parametrize(("settings", "name"), URL_SETTINGS, ids=IDS)
def test_malformed_url_is_refused_without_its_value(monkeypatch, capsys, settings, name):
    for url in MALFORMED[kind_of(name)]:
        line, others = errors(monkeypatch, capsys, settings, name, url)
        assert line, url
        assert "must be" in line
        assert [part for part in ("hunter2", "hun", "ter2") if part in line + others] == [], url


@pytest.mark.parametrize(("settings", "name"), URL_SETTINGS, ids=IDS)
def test_valid_url_is_accepted(monkeypatch, capsys, settings, name):
    for url in VALID[kind_of(name)]:
        line, _ = errors(monkeypatch, capsys, settings, name, url)
        assert not line, url
