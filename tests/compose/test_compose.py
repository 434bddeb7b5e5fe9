"""The documented first requests, an import, and secrets, with the images."""

import json
import subprocess

import pytest

from tests.support.users import RestApi


def test_first_requests_work_with_the_images(person):
    task = person.http.post("/api/tasks", json={"title": "In a container"})
    assert task.status_code == 201
    assert person.http.get("/api/tasks").json()["tasks"] == [task.json()]


def test_file_is_imported_with_the_images(person):
    rows = "".join(f"Task {number},pending\n" for number in range(5000))
    finished = person.wait_for_import(person.upload(f"subject,status\n{rows},completed\n")["id"])
    assert (finished["state"], finished["rows_created"], finished["rows_failed"]) == ("succeeded", 5000, 1)


def test_admin_can_log_in_and_the_history_verifies(compose):
    """The admin's password is in the secrets volume, and the verify command finds an unbroken hash chain."""
    password = compose(
        "run", "--rm", "migrate-auth", "cat", "/run/secrets/AUTH_BOOTSTRAP_ADMIN_PASSWORD"
    ).stdout.strip()
    with RestApi(compose.url) as api:
        assert api.login("admin@example.com", password).get("/api/v1/users").status_code == 200
    verified = compose("run", "--rm", "migrate-tasks", "python", "-m", "task_service.commands.verify")
    assert (verified.returncode, verified.stdout[:17]) == (0, "History is whole:"), verified.stderr


def test_data_survive_a_restart_of_all_containers(compose, person):
    person.http.post("/api/tasks", json={"title": "Still here"})
    assert compose("restart").returncode == 0
    assert compose("up", "--wait", "--no-recreate").returncode == 0
    assert [task["title"] for task in person.http.get("/api/tasks").json()["tasks"]] == ["Still here"]


def test_inspected_containers_show_no_secrets(compose):
    """No secret is in an image or in the environment of a container."""
    names = compose.containers()
    assert len(names) == 9
    for name in names:
        inspected = subprocess.run(["docker", "inspect", name], capture_output=True, text=True, check=True).stdout
        for secret in ("PASSWORD=", "CREDENTIAL=", "ENCRYPTION_KEY=", "SECRET_ACCESS_KEY=", "postgresql://"):
            assert secret not in inspected


def test_containers_run_hardened(compose):
    """No container has a capability, a writable root file system, root's rights or unlimited memory."""
    for name in compose.containers():
        inspected = subprocess.run(["docker", "inspect", name], capture_output=True, text=True, check=True).stdout
        (container,) = json.loads(inspected)
        host = container["HostConfig"]
        assert (host["CapDrop"], host["CapAdd"], host["ReadonlyRootfs"]) == (["ALL"], None, True), name
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["Memory"] > 0, name
        assert host["PidsLimit"] > 0, name
        user = subprocess.run(["docker", "exec", name, "id", "-u"], capture_output=True, text=True, check=True).stdout
        assert user.strip() in {"10001", "999"}, name


def test_only_the_gateway_is_published(compose):
    ports = {
        service["Service"]: {port["PublishedPort"] for port in service["Publishers"] if port["PublishedPort"]}
        for service in map(json.loads, compose("ps", "--format", "json").stdout.splitlines())
    }
    published = {service: found for service, found in ports.items() if found}
    assert published == {"gateway": {int(compose.ports["GATEWAY_PORT"])}}


@pytest.mark.parametrize("profile", ["observability", "s3"])
def test_profiles_are_valid(compose, profile):
    """Docker compose accepts each profile, whose images may be out of reach."""
    described = compose("--profile", profile, "config", "--format", "json")
    assert described.returncode == 0, described.stderr
    assert profile in {
        name for each in json.loads(described.stdout)["services"].values() for name in each.get("profiles", [])
    }
