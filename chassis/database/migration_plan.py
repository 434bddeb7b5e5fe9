"""Plan of a migration: the revisions of each phase that have not run, and their SQL."""

import io
from collections.abc import Iterator, Sequence

import structlog
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script

from chassis.database.revisions import Phase, RevisionHistory, phase_of, required_revision
from chassis.database.schema_state import SchemaState, newer_release_needed

log = structlog.get_logger("migrate")


class MigrationError(Exception):
    """A migration can't run, or has failed. Its text is one line for the operator."""


def revisions_to_run(history: RevisionHistory, state: SchemaState, phase: Phase) -> Sequence[Script]:
    """Return the revisions that a run of the phase applies.

    A schema without any revision has no old services to wait for, so the expand phase includes the contract phase.

    Raises:
        MigrationError: the phase can't run now.

    """
    if is_ahead(history, state):
        if phase is Phase.EXPAND:
            log.info(
                "nothing to do: a newer release has migrated the schema", schema=history.schema, revision=str(state)
            )
            return ()
        raise MigrationError(f"schema {history.schema} is at revision {state}: run migrate --contract of that release")
    pending = history.pending(state.heads)
    if phase is Phase.EXPAND and not state.heads:
        return pending
    expand, contract = split_by_phase(pending)
    if phase is Phase.EXPAND:
        _check_needs_no_contract(history, expand, contract)
        return expand
    if expand:
        raise MigrationError(
            f"the expand phase of schema {history.schema} is not complete: revision {expand[0].revision} has not run."
            " Run migrate, start this release everywhere, then run migrate --contract"
        )
    return contract


def is_ahead(history: RevisionHistory, state: SchemaState) -> bool:
    """Return True if a newer release has migrated the schema. Raises MigrationError if its contract phase has run."""
    if reason := newer_release_needed(history, state):
        raise MigrationError(reason)
    return not state.heads <= history.known


def split_by_phase(pending: Sequence[Script]) -> tuple[list[Script], list[Script]]:
    """Return the expand and the contract revisions."""
    phases: dict[Phase, list[Script]] = {phase: [] for phase in Phase}
    for script in pending:
        phases[phase_of(script)].append(script)
    return phases[Phase.EXPAND], phases[Phase.CONTRACT]


def _check_needs_no_contract(history: RevisionHistory, expand: Sequence[Script], contract: Sequence[Script]) -> None:
    waiting = {script.revision for script in contract}
    for script in expand:
        needed = waiting & {each.revision for each in history.ancestors([script.revision])}
        if needed:
            raise MigrationError(
                f"revision {script.revision} of schema {history.schema} needs contract revision {max(needed)}:"
                " run migrate --contract of the release before first"
            )


def describe(history: RevisionHistory, state: SchemaState) -> Iterator[str]:
    """Yield the lines of `migrate --plan`: SQL, with the revisions in comments."""
    yield f"-- Schema {history.schema} is at revision {state}."
    if is_ahead(history, state):
        yield "-- A newer release has migrated it. Nothing to do."
        return
    pending = history.pending(state.heads)
    if pending:
        yield f"SET search_path TO {history.schema};"
    for phase, scripts in zip(Phase, split_by_phase(pending), strict=True):
        count = f"{len(scripts)} revision" if len(scripts) == 1 else f"{len(scripts)} revisions"
        yield f"-- Phase {phase}: {count}."
        if scripts and phase is Phase.CONTRACT:
            if state.heads:
                required = required_revision(scripts[-1])
                yield f"-- Run migrate --contract when all services are of a release with revision {required} or newer."
            else:
                yield "-- The schema is new, so migrate runs this phase too."
        for script in scripts:
            yield f"-- {phase} {script.revision}: {script.doc}"
            yield render_sql(script, history.schema)


def render_sql(script: Script, schema: str) -> str:
    """Return the SQL of a revision, without the database (Alembic's offline mode)."""
    output = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql",
        # Another paramstyle would double each percent sign.
        dialect_opts={"paramstyle": "named"},
        opts={"as_sql": True, "output_buffer": output, "version_table_schema": schema},
    )
    with context.begin_transaction(), Operations.context(context):
        script.module.upgrade()
    return output.getvalue().strip()
