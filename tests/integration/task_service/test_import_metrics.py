"""Metrics of imports, changed by the calls of a user and of a worker."""

import grpc
import pytest
from taskmanager.imports.v1.import_service_pb2 import CancelImportRequest

import task_service.background_tasks
from tests.integration.task_service.import_calls import END, batch, upload
from tests.support.grpc_calls import refused
from tests.support.metrics import metric_value
from tests.support.waiting import until

OUTCOMES = ("created", "updated", "unchanged", "skipped", "failed")
EXPIRE_LEASE = "UPDATE tasks.imports SET lease_until = now() - interval '100 s' WHERE state = 'running'"
POSTPONE = "UPDATE tasks.imports SET queued_at = now() + interval '1 h', wake_at = now() + interval '1 h'"
FAIL_COMMITS = """
    CREATE OR REPLACE FUNCTION tasks.fail_commit() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE 'the server is shutting down' USING ERRCODE = 'admin_shutdown'; END $$;
    CREATE CONSTRAINT TRIGGER fail_commit AFTER UPDATE ON tasks.imports DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (OLD.state <> NEW.state OR OLD.fence <> NEW.fence) EXECUTE FUNCTION tasks.fail_commit()
"""
END_FAILURES = "DROP TRIGGER fail_commit ON tasks.imports"
FILE = b"title,external_id\na,1\n,2\na,1\n"


def rows() -> dict[str, float]:
    return {outcome: metric_value("import_rows_total", outcome=outcome) for outcome in OUTCOMES}


@pytest.fixture(autouse=True)
def frequent_measurements(monkeypatch):
    monkeypatch.setattr(task_service.background_tasks, "MEASURE_INTERVAL_SECONDS", 0.1)


@pytest.fixture
async def sonu(system):
    return await system.new_user("sonu")


async def test_batch_counts_rows_errors_and_time(system, worker, sonu):
    """A committed batch counts its rows by outcome, its errors by code, its time, and the end of the import."""
    await upload(system, sonu, FILE)
    before = rows()
    errors = metric_value("import_row_errors_total", code="BLANK_TITLE")
    batches = metric_value("import_batch_duration_seconds_count")
    succeeded = metric_value("imports_finished_total", state="succeeded", code="")
    waits = metric_value("import_queue_wait_seconds_count")
    lease = await worker.claim()
    cells = [["a", "1"], ["", "2"], ["a", "1"]]
    await worker.stream(lease, batch(lease.checkpoint, *cells, size=11), END)
    changed = {outcome: value - before[outcome] for outcome, value in rows().items() if value != before[outcome]}
    assert changed == {"created": 1, "failed": 2}
    assert metric_value("import_row_errors_total", code="BLANK_TITLE") == errors + 1
    assert metric_value("import_batch_duration_seconds_count") == batches + 1
    assert metric_value("imports_finished_total", state="succeeded", code="") == succeeded + 1
    assert metric_value("import_queue_wait_seconds_count") == waits + 1


async def test_batch_that_is_rejected_is_not_counted(system, worker, sonu):
    """Rows count when they are committed: a batch under an old fence is not."""
    await upload(system, sonu, FILE)
    lease = await worker.claim()
    lease.fence -= 1
    before = rows()
    with pytest.raises(Exception, match="lease"):
        await worker.stream(lease, batch(lease.checkpoint, ["a", "1"], size=4))
    assert rows() == before


def ended_and_waiting() -> dict[str, float]:
    """Return the metrics of claims, postponements and ended imports."""
    ended = {
        state: metric_value("imports_finished_total", state=state, code="") for state in ("succeeded", "cancelled")
    }
    return ended | {
        "takeovers": metric_value("import_lease_takeovers_total"),
        "waits": metric_value("import_queue_wait_seconds_count"),
        "postponed": metric_value("imports_postponed_total", waits_for="database"),
    }


async def test_transaction_that_fails_to_commit_is_not_counted(system, worker, sonu, database):
    """Claims, takeovers, ends, postponements and cancellations of imports count when they are committed."""
    queued = await upload(system, sonu, FILE)
    before = ended_and_waiting()
    await database.execute(FAIL_COMMITS)
    assert (await refused(worker.claim())).code == grpc.StatusCode.UNAVAILABLE
    await database.execute(END_FAILURES)
    lease = await worker.claim()
    await database.execute(FAIL_COMMITS)
    assert (await refused(worker.stream(lease, END))).code == grpc.StatusCode.UNAVAILABLE
    cancel = system.imports.CancelImport(CancelImportRequest(id=queued.id), metadata=sonu.metadata)
    assert (await refused(cancel)).code == grpc.StatusCode.UNAVAILABLE
    await database.execute(EXPIRE_LEASE)
    assert (await refused(worker.claim())).code == grpc.StatusCode.UNAVAILABLE
    assert ended_and_waiting() == before | {"waits": before["waits"] + 1}


async def test_claim_after_an_expired_lease_is_a_takeover(system, worker, sonu, database):
    await upload(system, sonu, FILE)
    takeovers, waits = metric_value("import_lease_takeovers_total"), metric_value("import_queue_wait_seconds_count")
    await worker.claim()
    await database.execute(EXPIRE_LEASE)
    assert await worker.claim()
    assert metric_value("import_lease_takeovers_total") == takeovers + 1
    assert metric_value("import_queue_wait_seconds_count") == waits + 1


def queue(state: str) -> tuple[float, float]:
    """Return number and age of the imports in a state, as the last measurement found them."""
    return metric_value("imports_in_state", state=state), metric_value("imports_oldest_age_seconds", state=state)


async def test_queue_is_measured_by_state(system, worker, sonu, database):
    """Queued, postponed and abandoned imports are told apart, each with the age of the oldest."""
    await upload(system, sonu, FILE)
    await until(lambda: queue("queued")[0] == 1)
    await database.execute(POSTPONE)
    await until(lambda: queue("queued") == (0, 0) and queue("postponed")[0] == 1)
    await database.execute("UPDATE tasks.imports SET queued_at = now() - interval '500 s'")
    await until(lambda: queue("queued")[1] >= 500)
    await worker.claim()
    await database.execute(EXPIRE_LEASE)
    await until(lambda: queue("abandoned")[0] == 1)
    assert 100 <= queue("abandoned")[1] < 400
