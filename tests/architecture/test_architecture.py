"""Rules about modules, imports, errors, access and locks that the code must keep."""

import importlib
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
from google.api import annotations_pb2
from taskmanager.auth.v1 import (
    auth_service_pb2,
    security_event_service_pb2,
    service_account_service_pb2,
    token_service_pb2,
    user_service_pb2,
)
from taskmanager.imports.v1 import import_ingest_service_pb2, import_service_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_service_pb2
from taskmanager.trust.v1 import trust_service_pb2

import auth_service.domain
import auth_service.transport.status
import task_service
import task_service.access
import task_service.registrations
from auth_service.domain.roles import Role
from chassis.kernel.errors import DomainError
from chassis.rpc.access import access_of
from chassis.rpc.errors import KERNEL_STATUS
from chassis.rpc.field_paths import find_field_path

ROOT = Path(__file__).parents[2]
SERVICES = ("auth_service", "task_service", "import_worker", "gateway")
METHODS = [
    method
    for file in (
        auth_service_pb2,
        user_service_pb2,
        service_account_service_pb2,
        security_event_service_pb2,
        token_service_pb2,
        task_service_pb2,
        history_service_pb2,
        import_service_pb2,
        import_ingest_service_pb2,
        trust_service_pb2,
    )
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


def test_imports_point_inward():
    """Imports point inward, and no service imports another: import-linter's contracts hold."""
    lint = Path(sys.executable).parent / "lint-imports"
    found = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_modules(service):
    modules = {"__init__.py", "__main__.py", "settings.py", "bootstrap.py"}
    assert modules <= {path.name for path in (ROOT / service).iterdir()}


@pytest.mark.parametrize("service", ["auth_service", "task_service"])
def test_grpc_services_start_in_the_same_steps(service):
    """Each step of a start has a file, which is called the same in both services."""
    steps = {"settings.py", "resources.py", "bootstrap.py", "registrations.py", "background_tasks.py", "server.py"}
    assert steps <= {path.name for path in (ROOT / service).iterdir()}


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_rpc_has_an_access_option(method):
    assert access_of(method) is not None


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_access_option_names_existing_roles(method):
    """Every role in an access option is a role of auth_service, and task_service knows the same roles."""
    access = access_of(method)
    assert access is not None
    assert access.roles <= set(Role)
    assert {*map(str, Role)} == {*map(str, task_service.access.Role)}


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_internal_rpc_has_no_rest_route(method):
    access = access_of(method)
    internal = access is not None and access.scopes & {"imports:ingest", "trust:read"}
    assert not (internal and method.GetOptions().HasExtension(annotations_pb2.http))


def errors_of(package) -> list[type[DomainError]]:
    """Return every error class that a module of the package defines, whatever its folder."""
    names = [info.name for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    modules = [importlib.import_module(name) for name in names if "migrations" not in name]
    return [
        found
        for module in modules
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, DomainError) and found.__module__ == module.__name__
    ]


@pytest.mark.parametrize(
    ("package", "table"),
    [
        (auth_service.domain, auth_service.transport.status.STATUS),
        (task_service, task_service.registrations.STATUS),
    ],
    ids=["auth_service", "task_service"],
)
def test_every_domain_error_has_a_status(package, table):
    errors = errors_of(package)
    assert errors
    known = {**KERNEL_STATUS, **table}
    assert [error.__name__ for error in errors if not any(cls in known for cls in error.__mro__)] == []


@pytest.mark.parametrize("package", [auth_service.domain, task_service], ids=lambda package: package.__name__)
def test_every_domain_error_is_a_sentence(package):
    for error in errors_of(package):
        message = " ".join((error.__doc__ or "").split())
        assert re.fullmatch(r"[A-Z{].*[.}]", message), f"{error.__name__}: {message!r}"


@pytest.mark.parametrize("package", [auth_service.domain, task_service], ids=lambda package: package.__name__)
def test_field_of_every_domain_error_is_in_a_request(package):
    """A violation loses a field that the request does not have, so no error may name one that no request has."""
    columns = {"UnknownAssigneeCell"}  # the error of a row, which names a column of the file
    requests = [method.input_type for method in METHODS]
    unknown = {
        error.__name__: error.field
        for error in errors_of(package)
        if error.field
        and error.__name__ not in columns
        and not any(find_field_path(request, error.field) for request in requests)
    }
    assert unknown == {}


def test_locks_name_no_package_index():
    locks = list((ROOT / "requirements").glob("*.txt"))
    assert {lock.stem for lock in locks} == {"dev", "api", "bench", *SERVICES}
    for lock in locks:
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text


def test_npm_lock_names_no_registry():
    """The lock of the npm packages has hashes and no address of a registry."""
    packages = json.loads((ROOT / "tests/api/package-lock.json").read_text())["packages"]
    assert len(packages) > 1
    for name, package in packages.items():
        assert "resolved" not in package
        assert name == "" or "integrity" in package


def test_service_locks_agree_with_the_development_lock():
    """Every version in a service's lock file is in the development lock too."""

    def pins(lock: Path) -> set[str]:
        return set(re.findall(r"^([a-z0-9.-]+==[^ ]+)", lock.read_text(), re.MULTILINE))

    development = pins(ROOT / "requirements" / "dev.txt")
    for service in SERVICES:
        assert pins(ROOT / "requirements" / f"{service}.txt") <= development
