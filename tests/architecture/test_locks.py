"""A service's image contains only what its lock file names, so the lock must name everything the service imports.

The tests run with everything installed and would not notice a missing distribution.
"""

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = {path.stem: path for path in (ROOT / "requirements").glob("*.txt") if path.stem != "dev"}
SHARED_PACKAGES = {"chassis": ROOT, "taskmanager": ROOT / "protos" / "gen"}

UNUSED_IMPORTS = {"auth_service": {"redis.asyncio.ConnectionPool"}}
"""Imports inside functions that the service never calls: auth_service counts addresses in its own memory."""


def canonical(name: str) -> str:
    """Return the normalized name of a distribution (PyPA name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(lock: Path) -> set[str]:
    return {canonical(name) for name in re.findall(r"^([\w.-]+)(?:\[.*\])?==", lock.read_text(), re.MULTILINE)}


@cache
def providers() -> Mapping[str, set[str]]:
    """Return the distributions that contain each module. By file: many share a name like `google`."""
    found = defaultdict(set)
    for distribution in distributions():
        for file in distribution.files or ():
            if file.suffix in {".py", ".so"}:
                module = ".".join([*file.parts[:-1], file.name.partition(".")[0]]).removesuffix(".__init__")
                found[module].add(canonical(distribution.name))
    return found


def imports_of(file: Path) -> Iterator[str]:
    """Yield the imports of a file, also those in functions. For `from a import b` yield a.b, a module or not."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def prefixes(name: str) -> Iterator[str]:
    """Yield a.b.c, a.b and a for the name a.b.c."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def files_of(name: str, home: Path) -> Iterator[Path]:
    """Yield the files that Python executes when it imports the name."""
    for module in prefixes(name):
        path = home.joinpath(*module.split("."))
        yield from (file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists())


def foreign_imports(service: str) -> set[str]:
    """Return the third-party imports of a service, in its own modules and in all of ours that they import."""
    homes = {service: ROOT, **SHARED_PACKAGES}
    queue = list((ROOT / service).rglob("*.py"))
    seen, foreign = set(queue), set()
    while queue:
        for name in imports_of(queue.pop()):
            top = name.partition(".")[0]
            if top in homes:
                new = set(files_of(name, homes[top])) - seen
                seen |= new
                queue.extend(new)
            elif top not in sys.stdlib_module_names:
                foreign.add(name)
    return foreign


@pytest.mark.parametrize("service", sorted(LOCKS))
def test_lock_provides_every_import(service):
    """A service's lock file provides every distribution that the service imports."""
    known, pinned = providers(), locked(LOCKS[service])
    missing = {
        name
        for name in foreign_imports(service)
        if not next((known[module] for module in prefixes(name) if module in known), set()) & pinned
    }
    assert missing == UNUSED_IMPORTS.get(service, set())


def test_client_and_its_group_agree():
    """`pip install ./cli` installs what the group `cli` of the repository locks."""
    group = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["cli"]
    project = tomllib.loads((ROOT / "cli" / "pyproject.toml").read_text())["project"]
    assert {*project["dependencies"], *project["optional-dependencies"]["keyring"]} == set(group)
