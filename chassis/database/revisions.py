"""Revisions of a schema in two phases, each a branch of Alembic (docs/adr/0013-upgrades-in-phases.md)."""

from collections.abc import Collection, Iterator
from enum import StrEnum
from pathlib import Path

from alembic.script import Script, ScriptDirectory


class Phase(StrEnum):
    """Phase of an upgrade, and label of the branch with its revisions.

    Services of the old and of the new release work after EXPAND. After CONTRACT only those of the new one do.
    """

    EXPAND = "expand"
    CONTRACT = "contract"


class InvalidRevision(Exception):
    """A file of a migration breaks a rule of docs/upgrades.md."""


def phase_of(script: Script) -> Phase:
    """Return the phase in which a revision runs."""
    return Phase.CONTRACT if Phase.CONTRACT in script.branch_labels else Phase.EXPAND


def required_revision(script: Script) -> str:
    """Return the expand revision that services must know once this contract revision has run."""
    if not isinstance(script.dependencies, str):
        raise InvalidRevision(f"contract revision {script.revision} needs exactly one expand revision in depends_on")
    return script.dependencies


class RevisionHistory:
    """Revisions in a folder of migrations: those that this release knows."""

    def __init__(self, schema: str, migrations: Path) -> None:
        self.schema = schema
        self._scripts = ScriptDirectory(str(migrations))
        scripts = list(self._scripts.walk_revisions())
        self.known = frozenset(script.revision for script in scripts)
        self.expand_head = self._find_expand_head(scripts)

    def _find_expand_head(self, scripts: Collection[Script]) -> str:
        expand = {script.revision: script for script in scripts if phase_of(script) is Phase.EXPAND}
        heads = expand.keys() - {script.down_revision for script in expand.values()}
        if len(heads) != 1:
            raise InvalidRevision(f"the expand revisions of schema {self.schema} have several ends: {sorted(heads)}")
        return heads.pop()

    def ancestors(self, revisions: Collection[str]) -> Iterator[Script]:
        """Yield known revisions, and all that they need, the newest first."""
        return self._scripts.iterate_revisions(tuple(revisions), "base") if revisions else iter(())

    def pending(self, heads: Collection[str]) -> list[Script]:
        """Return the revisions of both phases that have not run, in an order in which they can run."""
        applied = {script.revision for script in self.ancestors(heads)}
        every = list(self._scripts.iterate_revisions("heads", "base"))
        return [script for script in reversed(every) if script.revision not in applied]
