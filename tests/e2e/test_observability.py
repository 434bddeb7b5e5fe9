"""Metrics and logs of the running system, changed by a session with an import."""

import json
from collections.abc import Callable

import httpx2 as httpx
import pytest

from tests.support.metrics import Samples, scrape, total
from tests.support.waiting import wait_until

CSV = "title,status\nBuy milk,pending\nCall mum,done\n,pending\n"


@pytest.fixture
def metrics(stack) -> Callable[[str], Samples]:
    """Function that scrapes a process by its name."""
    return lambda name: scrape(httpx.URL(stack.endpoints["probes"][name]).port or 0)


@pytest.fixture
def log_lines(stack):
    """Function that returns the log lines of a process as they are."""
    return lambda name: (stack.data_dir / "logs" / f"{name}.log").read_text().splitlines()


def test_session_with_import_changes_the_documented_metrics(stack, metrics):
    """Login, a wrong login and an import change the metrics of all four processes as the page says."""
    names = ("gateway", "auth_service", "task_service", "import_worker-1")
    before = {name: metrics(name) for name in names}
    user = stack.api.new_user()
    assert httpx.post(f"{stack.url}/api/login", json={"email": "a@b.c", "password": "wrong"}).status_code == 401
    assert user.wait_for_import(user.upload(CSV, allow_same_file="true")["id"])["state"] == "succeeded"
    wait_until(lambda: total(metrics("import_worker-1"), "import_worker_busy") == 0)
    after = {name: metrics(name) for name in names}

    def change(process: str, name: str, **labels: str) -> float:
        return total(after[process], name, **labels) - total(before[process], name, **labels)

    assert change("gateway", "http_requests_total", route="/api/upload-csv", method="POST", status="202") == 1
    assert change("gateway", "http_request_duration_seconds_count", route="/api/login") == 2
    assert change("gateway", "grpc_client_handled_total", grpc_method="Login", grpc_code="Unauthenticated") == 1
    login = {"grpc_type": "unary", "grpc_service": "taskmanager.auth.v1.AuthService", "grpc_method": "Login"}
    assert change("auth_service", "grpc_server_started_total", **login) == 2
    assert change("auth_service", "grpc_server_handled_total", **login, grpc_code="OK") == 1
    assert change("auth_service", "grpc_server_handling_seconds_count", **login) == 2
    assert change("auth_service", "auth_password_hashes_total") >= 3
    assert change("task_service", "import_rows_total", outcome="created") == 2
    assert change("task_service", "import_rows_total", outcome="failed") == 1
    assert change("task_service", "import_row_errors_total", code="BLANK_TITLE") == 1
    assert change("task_service", "import_batch_duration_seconds_count") == 1
    assert change("task_service", "import_queue_wait_seconds_count") == 1
    assert change("task_service", "imports_finished_total", state="succeeded") == 1
    assert change("task_service", "database_pool_requests_total", pool="task_service") > 0
    assert change("task_service", "trust_updated_timestamp_seconds") >= 0
    assert change("import_worker-1", "import_worker_sent_rows_total") == 3
    assert change("import_worker-1", "import_worker_leases_total", outcome="settled") == 1
    wait_until(lambda: total(metrics("task_service"), "imports_in_state") == 0)


def test_request_id_of_an_upload_is_in_all_lines_of_its_import(user, log_lines):
    """The request id of the upload finds the import in the logs of all services, up to its last batch."""
    response = user.http.post(
        "/api/upload-csv", files={"file": ("tasks.csv", CSV, "text/csv")}, headers={"x-request-id": "upload-42"}
    )
    import_id = response.json()["id"]
    user.wait_for_import(import_id)
    wait_until(lambda: any("lease ended" in line and import_id in line for line in log_lines("import_worker-1")))
    of_worker = [json.loads(line) for line in log_lines("import_worker-1") if import_id in line]
    assert {line["request_id"] for line in of_worker} == {"upload-42"}
    assert [line["event"] for line in of_worker] == ["claimed", "lease ended"]

    def methods() -> set[str]:
        lines = [json.loads(line) for line in log_lines("task_service") if "upload-42" in line]
        return {line["method"].rpartition("/")[2] for line in lines}

    wait_until(lambda: methods() == {"UploadImport", "ReadUpload", "IngestRows"})


@pytest.mark.parametrize("name", ["gateway", "auth_service", "task_service", "import_worker-1"])
def test_every_log_line_is_json(stack, user, log_lines, name):
    """Each line of a session is one JSON object, also those of libraries, of Celery and of its pool child."""
    user.wait_for_import(user.upload(CSV, allow_same_file="true")["id"])
    lines = [json.loads(line) for line in log_lines(name)]
    assert lines
    assert all({"timestamp", "level", "event", "logger", "service"} <= line.keys() for line in lines)
