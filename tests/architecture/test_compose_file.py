"""docker-compose.yml: settings, limits, mounted files and ports. tests/compose runs it."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from deploy.docker.make_secrets import service_secrets
from tests.architecture.programs import known_variables, required_variables

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
INGEST: dict[str, Any] = yaml.safe_load((ROOT / "deploy/docker/ingest.yml").read_text())["services"]
OURS = {
    "auth_service": ("auth", ["auth_service"]),
    "task_service": ("tasks", ["task_service"]),
    "import_worker": ("worker", ["import_worker"]),
    "gateway": (None, ["gateway"]),
    "migrate-auth": (
        "migrate",
        ["auth_service.commands.provision", "auth_service.commands.migrate", "auth_service.commands.bootstrap"],
    ),
    "migrate-tasks": ("migrate", ["task_service.commands.provision", "task_service.commands.migrate"]),
}
SECRETS = service_secrets(superuser_url="postgresql://p@h/d", redis_url="redis://h/0", database="h:5432/d")


def test_no_key_stands_twice():
    """Docker compose refuses the file then; PyYAML would keep the last."""

    def repeated(node: yaml.Node) -> list[str]:
        if isinstance(node, yaml.SequenceNode):
            return [key for each in node.value for key in repeated(each)]
        if not isinstance(node, yaml.MappingNode):
            return []
        keys = [key.value for key, _ in node.value if key.value != "<<"]
        own = [f"line {node.start_mark.line + 1}: {key}" for key in set(keys) if keys.count(key) > 1]
        return own + [key for _, value in node.value for key in repeated(value)]

    for file in ("docker-compose.yml", "deploy/docker/grpc-ports.yml", "deploy/docker/ingest.yml"):
        assert repeated(yaml.compose((ROOT / file).read_text())) == []


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_of_its_program(name):
    """Compose sets only variables that the programs read, and all that they require, directly or as a secret."""
    directory, programs = OURS[name]
    environment = set(SERVICES[name].get("environment", {}))
    for program in programs:
        assert required_variables(program) <= environment | set(SECRETS[directory] if directory else ())
        assert environment <= known_variables(program)


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_hardened(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert service["mem_limit"]
    assert "privileged" not in service
    if name != "secrets":
        assert "cap_add" not in service
        assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])


def test_only_gateway_and_observability_publish_ports():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"gateway", "prometheus", "grafana", "jaeger"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_override_publishes_grpc_ports_of_one_replica():
    """A port of the host belongs to one container, so a service with a published port has one replica."""
    overrides = yaml.safe_load((ROOT / "deploy/docker/grpc-ports.yml").read_text())["services"]
    for name, prefix in (("auth_service", "AUTH"), ("task_service", "TASKS")):
        (port,) = overrides[name]["ports"]
        assert port.rpartition(":")[2] == SERVICES[name]["environment"][f"{prefix}_LISTEN"].rpartition(":")[2]
        assert overrides[name]["deploy"] == {"replicas": 1}


def test_override_gives_imports_their_own_processes():
    """The added containers are those of task_service, and the workers call their internal port."""
    (added,) = INGEST.keys() - SERVICES.keys()
    assert INGEST[added] == {"extends": {"file": "docker-compose.yml", "service": "task_service"}}
    port = SERVICES["task_service"]["environment"]["TASKS_INTERNAL_LISTEN"].rpartition(":")[2]
    assert INGEST["import_worker"] == {"environment": {"IMPORT_WORKER_TASKS_TARGET": f"dns:///{added}:{port}"}}


def test_prometheus_scrapes_all_containers_with_metrics():
    """Each service has a job of its name, which finds all replicas on the port of the metrics."""
    servers = {
        name: value.rpartition(":")[2]
        for name, service in SERVICES.items()
        for variable, value in (service.get("environment") or {}).items()
        if variable.endswith("_METRICS_LISTEN")
    }
    added = {name: servers[service["extends"]["service"]] for name, service in INGEST.items() if "extends" in service}
    jobs = yaml.safe_load((ROOT / "deploy/observability/prometheus.yml").read_text())["scrape_configs"]
    found = {name: str(each["port"]) for job in jobs for each in job["dns_sd_configs"] for name in each["names"]}
    assert added
    assert found == servers | added
    assert found.keys() == {job["job_name"] for job in jobs}


def test_services_and_workers_have_two_replicas():
    replicas = {name: service["deploy"]["replicas"] for name, service in SERVICES.items() if "deploy" in service}
    assert replicas == {"auth_service": 2, "task_service": 2, "import_worker": 2}


def test_targets_are_internal_ports_of_services():
    targets = {
        value
        for service in SERVICES.values()
        for name, value in (service.get("environment") or {}).items()
        if name.endswith("_TARGET")
    }
    assert targets
    for target in targets:
        host, port = target.removeprefix("dns:///").split(":")
        prefix = {"auth_service": "AUTH", "task_service": "TASKS"}[host]
        assert SERVICES[host]["environment"][f"{prefix}_INTERNAL_LISTEN"].endswith(f":{port}")


def test_containers_serve_and_drain_before_they_are_killed():
    """The grace period exceeds the drain delay of 5 seconds and the time to drain."""
    for name, prefix in (("auth_service", "AUTH"), ("task_service", "TASKS"), ("gateway", "GATEWAY")):
        assert SERVICES[name]["environment"][f"{prefix}_DRAIN_DELAY_SECONDS"] == "5"
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > 5 + 10


def test_mounted_files_exist():
    files = {
        source.removeprefix("./")
        for service in SERVICES.values()
        for source in (volume.split(":")[0] for volume in service.get("volumes", []))
        if source.startswith("./")
    }
    assert files
    assert {file for file in files if not (ROOT / file).exists()} == set()


def test_every_image_names_a_version():
    """An image without a tag would change with each pull."""
    images = {service["image"] for service in SERVICES.values()}
    foreign = {image for image in images if not image.startswith("taskmanager/")}
    assert foreign
    assert [image for image in foreign if not re.fullmatch(r"\$\{[A-Z0-9]+_IMAGE:-[a-z/]+:v?\d[\w.-]*\}", image)] == []


def test_grafana_provisions_what_is_mounted():
    """The provider reads the folder of the dashboards, and the data sources are containers of the profile."""
    folder = ROOT / "deploy/observability/grafana"
    (provider,) = yaml.safe_load((folder / "dashboards.yml").read_text())["providers"]
    targets = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]
    assert provider["options"]["path"] in targets
    urls = [source["url"] for source in yaml.safe_load((folder / "datasources.yml").read_text())["datasources"]]
    assert {urlsplit(url).hostname for url in urls} <= SERVICES.keys()
