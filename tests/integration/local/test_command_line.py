"""The whole stack as an operator runs it, with `python -m deploy.local`."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil
import psycopg
import pytest

from deploy.local.host.free_ports import HOST, find_free_port
from deploy.local.supervision.probes import postgres_is_ready, redis_is_ready
from tests.support.embedded_servers import EmbeddedPostgres, EmbeddedValkey

ANY_PORTS = ("--gateway-port", "0", "--auth-port", "0", "--tasks-port", "0")
ACCOUNT = {"username": "sonu", "email": "sonu@example.com", "password": "test123"}


@dataclass(frozen=True)
class RunningStack:
    data_dir: Path
    process: subprocess.Popen[str]

    @property
    def endpoints(self) -> dict[str, Any]:
        return dict(json.loads((self.data_dir / "endpoints.json").read_text()))

    @property
    def processes(self) -> list[psutil.Process]:
        return [psutil.Process(pid) for pid in self.endpoints["processes"].values()]

    def read_until(self, prefix: str) -> None:
        """Read the output of the supervisor up to a line with this prefix. Fail if there is none."""
        assert self.process.stdout is not None
        lines: list[str] = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith(prefix):
                return
        pytest.fail(f"the stack ended without a line {prefix!r}: {''.join(lines)}")


def stack_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "deploy.local", *arguments]


def run_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command up to its end."""
    return subprocess.run(
        stack_command(*arguments), env={**os.environ, **environment}, check=False, capture_output=True, text=True
    )


@contextmanager
def running_stack(data_dir: Path, *arguments: str) -> Iterator[RunningStack]:
    """Run the stack from its `ready` line until it has stopped."""
    with subprocess.Popen(
        stack_command("run", "--data-dir", str(data_dir), *ANY_PORTS, *arguments), stdout=subprocess.PIPE, text=True
    ) as process:
        stack = RunningStack(data_dir, process)
        try:
            stack.read_until("ready")
            yield stack
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    options = ("--replicas", "2", "--workers", "2", "--ingest-processes", "1")
    with running_stack(tmp_path_factory.mktemp("stack") / "data", *options) as stack:
        yield stack


def test_endpoints_file_has_all_documented_fields(stack: RunningStack):
    endpoints = stack.endpoints
    assert set(endpoints) == {
        "gateway_url",
        "auth_target",
        "tasks_target",
        "internal_auth_target",
        "internal_tasks_target",
        "ingest_target",
        "postgres_url",
        "redis_url",
        "admin",
        "probes",
        "processes",
    }
    assert endpoints["tasks_target"].startswith("ipv4:127.0.0.1:")
    assert list(endpoints["processes"]) == [
        "postgres",
        "redis",
        "auth_service-1",
        "auth_service-2",
        "task_service-1",
        "task_service-2",
        "task_service_ingest",
        "import_worker-1",
        "import_worker-2",
        "gateway",
    ]
    assert stat.S_IMODE((stack.data_dir / "endpoints.json").stat().st_mode) == 0o600


def test_every_process_leads_its_group_and_has_a_log_file(stack: RunningStack):
    for name, pid in stack.endpoints["processes"].items():
        assert os.getpgid(pid) == pid
        assert (stack.data_dir / "logs" / f"{name}.log").exists()


def test_process_arguments_contain_no_secret(stack: RunningStack):
    secrets = json.loads((stack.data_dir / "secrets.json").read_text())
    del secrets["admin_email"]
    for pid in stack.endpoints["processes"].values():
        arguments = " ".join(psutil.Process(pid).cmdline())
        assert not any(secret in arguments for secret in secrets.values())


def test_admin_of_the_endpoints_file_can_log_in(stack: RunningStack):
    endpoints = stack.endpoints
    with httpx2.Client(base_url=endpoints["gateway_url"], trust_env=False) as client:
        response = client.post("/api/login", json=endpoints["admin"])
        assert response.status_code == 200, response.text
        assert response.json()["user"]["role"] == "admin"


@pytest.mark.parametrize("name", ["task_service-1", "import_worker-2", "gateway", "redis", "postgres"])
def test_killed_process_restarts_and_the_file_has_its_new_pid(stack: RunningStack, name: str):
    before = stack.endpoints["processes"]
    os.kill(before[name], signal.SIGKILL)
    stack.read_until(f"{name} is ready again")
    after = stack.endpoints["processes"]
    assert after.pop(name) != before.pop(name)
    assert after == before


def test_second_run_on_a_data_directory_is_rejected(stack: RunningStack):
    second = run_command("run", "--data-dir", str(stack.data_dir), *ANY_PORTS)
    assert second.returncode == 1
    assert f"in use by a run with process id {stack.process.pid}" in second.stderr
    assert "`make run DATA=…`" in second.stderr
    assert stack.process.poll() is None


def test_occupied_port_is_reported_with_its_option(stack: RunningStack, tmp_path: Path):
    port = stack.endpoints["gateway_url"].rpartition(":")[2]
    second = run_command("run", "--data-dir", str(tmp_path), "--gateway-port", port)
    assert second.returncode == 1
    assert f"--gateway-port {port} is in use by another program" in second.stderr
    assert "`make run` has GATEWAY_PORT=…" in second.stderr


def test_restart_keeps_the_data(tmp_path: Path):
    """After the stop no process runs and no endpoints file is left. The next start finds the data."""
    with running_stack(tmp_path) as first:
        processes = first.processes
        with httpx2.Client(base_url=first.endpoints["gateway_url"], trust_env=False) as client:
            assert client.post("/api/register", json=ACCOUNT).status_code == 201
    assert first.process.returncode == 0
    assert not [process for process in processes if process.is_running()]
    assert not (tmp_path / "endpoints.json").exists()

    with running_stack(tmp_path) as second:
        with httpx2.Client(base_url=second.endpoints["gateway_url"], trust_env=False) as client:
            login = {"email": ACCOUNT["email"], "password": ACCOUNT["password"]}
            assert client.post("/api/login", json=login).status_code == 200
        with psycopg.connect(second.endpoints["postgres_url"]) as connection:
            assert connection.execute("SELECT count(*) FROM auth.users WHERE username = 'sonu'").fetchone() == (1,)


def test_stack_starts_again_after_its_supervisor_was_killed(tmp_path: Path):
    """The next start finds none of the processes that the killed supervisor had started."""
    with running_stack(tmp_path) as killed:
        processes = killed.processes
        killed.process.kill()
    with running_stack(tmp_path) as restarted:
        assert not [process for process in processes if process.is_running()]
    assert restarted.process.returncode == 0


def test_stack_with_a_closed_output_pipe_stops_in_order(tmp_path: Path):
    with running_stack(tmp_path) as stack:
        processes = stack.processes
        assert stack.process.stdout is not None
        stack.process.stdout.close()
    assert not [process for process in processes if process.is_running()]


def test_demo_counts_match_and_it_leaves_no_files(tmp_path: Path):
    completed = run_command("demo", "--rows", "300", TMPDIR=str(tmp_path))
    assert completed.returncode == 0, completed.stderr
    assert "300 rows read = 280 created + 20 failed" in completed.stdout
    assert list(tmp_path.iterdir()) == []


async def test_operators_servers_are_used_and_left_running(tmp_path: Path):
    async with (
        EmbeddedPostgres(tmp_path / "postgres", durable=False) as postgres,
        EmbeddedValkey(tmp_path / "redis") as valkey,
    ):
        urls = ("--postgres-url", postgres.url, "--redis-url", valkey.url)
        with running_stack(tmp_path / "data", *urls) as stack:
            endpoints = stack.endpoints
        assert (endpoints["postgres_url"], endpoints["redis_url"]) == (postgres.url, valkey.url)
        assert not {"postgres", "redis"} & endpoints["processes"].keys()
        assert await postgres_is_ready(postgres.url)
        assert await redis_is_ready(valkey.url)


def test_unreachable_server_is_reported_with_its_option(tmp_path: Path):
    url = f"postgresql://postgres@{HOST}:{find_free_port()}/postgres"
    completed = run_command("run", "--data-dir", str(tmp_path), *ANY_PORTS, "--postgres-url", url)
    assert completed.returncode == 1
    assert "The server of --postgres-url does not respond" in completed.stderr


def test_wrong_settings_of_all_services_are_reported_at_once(tmp_path: Path):
    """No server starts first."""
    wrong = {
        "TASKS_TRASH_RETENTION_DAYS": "abc",
        "TASKS_TRASH_RETENTION_DAY": "5",
        "GATEWAY_MAX_CONNECTIONS": "-1",
        "OTEL_TRACES_SAMPLER": "often",
    }
    completed = run_command("run", "--data-dir", str(tmp_path), *ANY_PORTS, **wrong)
    assert completed.returncode == 1
    assert completed.stdout == ""
    assert all(f"\n{name}: " in completed.stderr for name in wrong)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("run",), "{file} can't be created: File exists."),
        (("run",), "{file}/data can't be created: Not a directory."),
        (("demo",), "{file} can't be created: File exists."),
        (("backup", "backup"), "No stack runs on {file}."),
        (("restore", "{file}"), "{file}/secrets.json is missing."),
    ],
)
def test_file_as_data_directory_is_one_line(tmp_path: Path, command: tuple[str, ...], message: str):
    file = tmp_path / "file"
    file.touch()
    name, *arguments = (part.format(file=file) for part in command)
    data_dir = file / "data" if "/data " in message else file
    completed = run_command(name, "--data-dir", str(data_dir), *arguments)
    assert completed.returncode == 1
    (line,) = completed.stderr.splitlines()
    assert line.startswith(f"error: {message.format(file=file)}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--gateway-port", "abc"), "'abc' is not a port. Use a number from 0 to 65535."),
        (("run", "--gateway-port", "65536"), "'65536' is not a port. Use a number from 0 to 65535."),
        (("run", "--workers", "0"), "'0' is not a number from 1 on"),
        (("run", "--ingest-processes", "-1"), "'-1' is not a number from 0 on"),
    ],
)
def test_wrong_number_is_explained(arguments: tuple[str, ...], message: str):
    completed = run_command(*arguments)
    assert completed.returncode == 2
    assert completed.stderr.rstrip().endswith(message)


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        (("task_service.commands.verifi",), "There is no command task_service.commands.verifi. There are:"),
        ((), "Name a command. There are:"),
    ],
)
def test_mistyped_or_missing_command_lists_the_commands(tmp_path: Path, module: tuple[str, ...], problem: str):
    """Modules that are no command are not in the list."""
    completed = run_command("command", "--data-dir", str(tmp_path), *module)
    assert completed.returncode == 1
    first, *commands = completed.stderr.splitlines()
    assert first == f"error: {problem}"
    assert {"auth_service.commands.create_service", "task_service.commands.verify"} <= set(commands)
    assert "auth_service.commands.runner" not in commands


def test_command_without_a_stack_names_the_target_of_make(tmp_path: Path):
    completed = run_command("command", "--data-dir", str(tmp_path), "task_service.commands.verify")
    assert completed.returncode == 1
    assert f"Start one with `make run DATA={tmp_path}`" in completed.stderr


@pytest.mark.parametrize("option", ["--data-dir", "--postgres-url", "--redis-url"])
def test_argument_that_is_no_text_is_refused(option):
    """The line does not quote the argument: a URL has a password."""
    completed = run_command("run", option, "postgresql://postgres:canary\udcff@127.0.0.1/postgres")
    assert completed.returncode == 2
    assert completed.stderr.splitlines()[-1] == (
        f"python -m deploy.local run: error: argument {option}: must be UTF-8 text"
    )
