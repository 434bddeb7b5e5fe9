"""Rendered manifests for Kubernetes, and look-ups in them."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from deploy.kubernetes.make_secrets import make_secrets
from deploy.kubernetes.validate import kubectl, render

OVERLAYS = {
    "dev": ("overlays/dev",),
    "production": (
        "overlays/production",
        "overlays/production/provision",
        "overlays/production/migrate",
        "overlays/production/contract",
    ),
}
PROGRAMS = ("auth-service", "task-service", "import-worker", "gateway")
INGEST = "task-service-ingest"
"""Deployment of task_service that only import workers call."""
SERVERS = {"dev": PROGRAMS, "production": (*PROGRAMS, INGEST)}
"""Deployments of our programs, by overlay."""
JOBS = ("provision-auth", "provision-tasks", "migrate-auth", "migrate-tasks")
LABEL = "app.kubernetes.io/name"

Document = dict[str, Any]

of_each_server = pytest.mark.parametrize(
    ("overlay", "name"), [(overlay, name) for overlay, names in SERVERS.items() for name in names], indirect=["overlay"]
)
"""Runs a test for each overlay and each of its Deployments of our programs."""
of_each_deployment = pytest.mark.parametrize(
    ("overlay", "name"),
    [(overlay, name) for overlay, names in SERVERS.items() for name in (*names, "pgbouncer")],
    indirect=["overlay"],
)


class Manifests:
    """All resources of an overlay, and the Secrets that the generator makes for it."""

    def __init__(self, overlay: str) -> None:
        program = kubectl()
        assert program
        self.servers = SERVERS[overlay]
        self.documents = [each for path in OVERLAYS[overlay] for each in render(path, program)]
        outside = {
            "postgres_url": "postgresql://postgres:p@postgres.example.com:5432/taskmanager",
            "redis_url": "redis://:p@redis.example.com:6379",
        }
        self.secrets = make_secrets(**outside if overlay == "production" else {})

    def of_kind(self, *kinds: str) -> list[Document]:
        return [each for each in self.documents if each["kind"] in kinds]

    def find(self, kind: str, name: str) -> Document:
        (found,) = (each for each in self.of_kind(kind) if each["metadata"]["name"] == name)
        return found

    def workloads(self) -> list[Document]:
        return self.of_kind("Deployment", "StatefulSet", "Job")

    def containers(self, workload: Document) -> list[Document]:
        pod = pod_of(workload)
        return [*pod.get("initContainers", []), *pod["containers"]]

    def environment(self, container: Document) -> dict[str, str]:
        """Return the variables of a container. A value from a Secret is empty."""
        variables: dict[str, str] = {}
        for source in container.get("envFrom", []):
            variables |= self.find("ConfigMap", source["configMapRef"]["name"])["data"]
        return variables | {each["name"]: each.get("value", "") for each in container.get("env", [])}

    def secret_files(self, workload: Document) -> dict[str, str]:
        """Return the generated files below /run/secrets."""
        volumes = [each for each in pod_of(workload)["volumes"] if each["name"] == "secrets"]
        return {name: text for each in volumes for name, text in self.secrets[each["secret"]["secretName"]].items()}


def pod_of(workload: Document) -> Document:
    pod: Document = workload["spec"]["template"]["spec"]
    return pod


def labels_of(workload: Document) -> dict[str, str]:
    labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return labels


def program_of(container: Document) -> str:
    """Return the module that a container of ours runs: that of its command, or that of its image."""
    image: str = container["image"].rpartition(":")[0].rpartition("/")[2]
    command = container.get("command")
    return command[2] if command else image


def selects(selector: Document | None, labels: dict[str, str]) -> bool:
    """Return True if a label selector selects the labels."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels", {})
    expressions = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in expressions)
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        labels.get(each["key"]) in each["values"] for each in expressions
    )


def named(name: str) -> dict[str, str]:
    """Return the label by which Services, budgets and policies select a workload."""
    return {LABEL: name}


def urls_in(values: dict[str, str]) -> Iterator[str]:
    """Yield the URLs of data servers among settings and secrets."""
    yield from (value for value in values.values() if value.startswith(("postgresql://", "redis://")))


@cache
def manifests(overlay: str) -> Manifests:
    return Manifests(overlay)
