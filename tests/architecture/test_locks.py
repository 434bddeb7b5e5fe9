"""A service's image holds what its lock names, and no more: whatever the service imports must be among that.

The tests themselves run with everything installed, where nothing is ever missing.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = {path.stem: path for path in (ROOT / "requirements").glob("*.txt") if path.stem != "dev"}
IN_EVERY_IMAGE = {"chassis": ROOT, "taskmanager": ROOT / "protos" / "gen"}

NEVER_RUN = {"auth_service": {"redis.asyncio.ConnectionPool"}}
"""Imports inside a function that the service does not come to: auth_service counts addresses in its own memory."""


def canonical(name: str) -> str:
    """A distribution's name as it is compared (PyPA's name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(lock: Path) -> set[str]:
    return {canonical(name) for name in re.findall(r"^([\w.-]+)(?:\[.*\])?==", lock.read_text(), re.MULTILINE)}


@cache
def providers() -> Mapping[str, set[str]]:
    """The distributions that have each module. By file, for many share a name such as `google`."""
    found = defaultdict(set)
    for distribution in distributions():
        for file in distribution.files or ():
            if file.suffix in {".py", ".so"}:
                module = ".".join([*file.parts[:-1], file.name.partition(".")[0]]).removesuffix(".__init__")
                found[module].add(canonical(distribution.name))
    return found


def imports_of(file: Path) -> Iterator[str]:
    """What a file imports, wherever in it: of `from a import b` this is a.b, be it a module or something in one."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def prefixes(name: str) -> Iterator[str]:
    """a.b.c, a.b, a."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def files_of(name: str, home: Path) -> Iterator[Path]:
    """The files that are run when the name is imported."""
    for module in prefixes(name):
        path = home.joinpath(*module.split("."))
        yield from (file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists())


def foreign_imports(service: str) -> set[str]:
    """What the service imports of others' code, in all its modules and in those of ours that they import in turn."""
    homes = {service: ROOT, **IN_EVERY_IMAGE}
    waiting = list((ROOT / service).rglob("*.py"))
    seen, foreign = set(waiting), set()
    while waiting:
        for name in imports_of(waiting.pop()):
            top = name.partition(".")[0]
            if top in homes:
                new = set(files_of(name, homes[top])) - seen
                seen |= new
                waiting.extend(new)
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
    assert missing == NEVER_RUN.get(service, set())
