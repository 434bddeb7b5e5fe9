"""Generator of the Secrets for Kubernetes: wrong URLs end it with one line, before anything is created."""

import json
import os
import subprocess
import sys

import pytest


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.kubernetes.make_secrets", *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("POSTGRES_URL", "postgresql://postgres:canary@word@db:5432/taskmanager"),
        ("POSTGRES_URL", "mysql://postgres:canary@db/taskmanager"),
        ("POSTGRES_URL", "postgresql://postgres:canary\udcff@db/taskmanager"),
        ("REDIS_URL", "redis://:canary@cache:6379/0"),
        ("REDIS_URL", "http://:canary@cache:6379"),
    ],
)
def test_wrong_url_is_refused(variable: str, url: str):
    """A password that is not percent-encoded would become a part of the host. The line does not show it."""
    ended = run("taskmanager", **{variable: url})
    assert (ended.returncode, ended.stdout, "canary" in ended.stderr) == (2, "", False)
    assert f"error: {variable}: must " in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("hosts", ["db.example.com", "db.example.com:6000", "[fd00::1]:5432", "one:5432,two:5432"])
def test_secrets_have_the_urls_of_the_servers(hosts: str):
    """An IPv6 address keeps its brackets, and a cluster of servers its list of hosts."""
    ended = run(
        "taskmanager",
        POSTGRES_URL=f"postgresql://postgres:p%40ss@{hosts}/taskmanager?sslmode=verify-full",
        REDIS_URL="rediss://:word@cache.example.com:6379/",
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    secrets = {each["metadata"]["name"]: each["stringData"] for each in json.loads(ended.stdout)["items"]}
    assert secrets["task-service"]["TASKS_REDIS_URL"] == "rediss://:word@cache.example.com:6379/0"
    assert secrets["migrate-tasks"]["TASKS_OWNER_DATABASE_URL"].endswith(f"@{hosts}/taskmanager?sslmode=verify-full")


def test_help_makes_no_secrets():
    ended = run("--help")
    assert (ended.returncode, ended.stdout.startswith("usage: ")) == (0, True)
