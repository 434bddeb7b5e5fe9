"""Manifests for Kubernetes: they agree with the settings, the images and the ports of the programs."""

import importlib.util
import shutil
from pathlib import Path

import pytest
import yaml

from deploy.kubernetes.validate import FOLDER, KUSTOMIZATIONS, is_custom, kubectl, problems, render
from tests.architecture.manifests import (
    INGEST,
    JOBS,
    LABEL,
    OVERLAYS,
    PROGRAMS,
    labels_of,
    manifests,
    of_each_deployment,
    of_each_server,
    pod_of,
    program_of,
    selects,
)
from tests.architecture.programs import known_variables, required_variables

ROOT = Path(__file__).parents[2]
PROBES = {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}

pytestmark = pytest.mark.skipif(kubectl() is None, reason="kubectl is not installed")


def test_all_documents_are_valid(overlay):
    """Each document matches the schemas of the oldest and the newest version of Kubernetes."""
    assert list(problems(overlay.documents)) == []
    assert {path for paths in OVERLAYS.values() for path in paths} == set(KUSTOMIZATIONS)


def test_unknown_fields_and_kinds_are_found():
    """The check refuses what Kubernetes would drop silently, and knows custom resources by their group."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"selectors": {}}}
    assert "selectors" in next(problems([service]))
    assert "Couldn't find schema" in next(problems([{**service, "kind": "Servise"}]))
    assert is_custom({"apiVersion": "cert-manager.io/v1"})
    assert not is_custom({"apiVersion": "networking.k8s.io/v1"})


def test_overlay_has_all_workloads(overlay):
    assert {each["metadata"]["name"] for each in overlay.of_kind("Deployment")} == {*overlay.servers, "pgbouncer"}
    contract = {"contract-auth", "contract-tasks"}
    assert {each["metadata"]["name"] for each in overlay.of_kind("Job")} - contract == set(JOBS)


def test_variables_are_settings_of_their_program(overlay):
    """Each program gets only variables that it reads, and all that it requires, directly or from a Secret."""
    for name in (*overlay.servers, *JOBS):
        (workload,) = (each for each in overlay.workloads() if each["metadata"]["name"] == name)
        for container in overlay.containers(workload):
            program = program_of(container)
            variables = overlay.environment(container)
            assert variables.keys() <= known_variables(program), name
            files = overlay.secret_files(workload)
            # The Secret of a Job is for all of its containers.
            unknown = files.keys() - known_variables(program)
            assert not unknown, name
            assert required_variables(program) <= variables.keys() | files.keys(), name


def test_commands_and_images_are_in_the_repository(overlay):
    names = {path.name for path in ROOT.iterdir() if (path / "__main__.py").exists()}
    for workload in overlay.workloads():
        for container in overlay.containers(workload):
            image = container["image"].rpartition(":")[0]
            if "taskmanager/" not in image:
                continue
            image = image.rpartition("/")[2]
            if image == "pgbouncer":
                assert (ROOT / "deploy/docker/pgbouncer.Dockerfile").exists()
                continue
            assert image in names
            program = program_of(container)
            assert program.startswith(image)
            assert importlib.util.find_spec(program)


@of_each_server
def test_ports_are_those_of_the_settings(overlay, name):
    """A container declares exactly the ports on which its settings let it listen."""
    (container,) = overlay.containers(overlay.find("Deployment", name))
    listens = {
        int(value.rpartition(":")[2])
        for variable, value in overlay.environment(container).items()
        if variable.endswith("LISTEN")
    }
    assert {each["containerPort"] for each in container["ports"]} == listens


@of_each_server
def test_probes_ask_the_metrics_port(overlay, name):
    """All probes are plain HTTP on the port of the metrics, which stays plain with mutual TLS."""
    (container,) = overlay.containers(overlay.find("Deployment", name))
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    (metrics,) = (
        int(value.rpartition(":")[2])
        for variable, value in overlay.environment(container).items()
        if variable.endswith("METRICS_LISTEN")
    )
    assert ports["metrics"] == metrics
    assert {probe: container[probe]["httpGet"] for probe in PROBES} == {
        probe: {"path": path, "port": "metrics"} for probe, path in PROBES.items()
    }
    source = (ROOT / "chassis/probes/http_server.py").read_text()
    assert all(f'case "{path}":' in source for path in PROBES.values())


@of_each_server
def test_grace_period_exceeds_delay_and_drain(overlay, name):
    workload = overlay.find("Deployment", name)
    (container,) = overlay.containers(workload)
    seconds = [
        float(value)
        for variable, value in overlay.environment(container).items()
        if variable.endswith(("_DRAIN_DELAY_SECONDS", "_DRAIN_SECONDS", "_SHUTDOWN_TIMEOUT_SECONDS"))
    ]
    assert seconds
    assert pod_of(workload)["terminationGracePeriodSeconds"] > sum(seconds)


@of_each_deployment
def test_deployments_survive_disruptions(overlay, name):
    """A deployment has probes, a disruption budget, spread replicas, and a rolling update that keeps its replicas."""
    workload = overlay.find("Deployment", name)
    (container,) = overlay.containers(workload)
    assert container.keys() >= PROBES.keys()
    (budget,) = (
        each
        for each in overlay.of_kind("PodDisruptionBudget")
        if selects(each["spec"]["selector"], labels_of(workload))
    )
    assert budget["spec"]["maxUnavailable"] == 1
    spread = pod_of(workload)["topologySpreadConstraints"]
    assert {each["topologyKey"] for each in spread} == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    assert all(selects(each["labelSelector"], labels_of(workload)) for each in spread)
    assert workload["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@of_each_server
def test_replicas_follow_the_load(overlay, name):
    """The autoscaler alone sets the number of replicas, by CPU, so a container requests CPU."""
    scaler = overlay.find("HorizontalPodAutoscaler", name)
    assert scaler["spec"]["scaleTargetRef"]["name"] == name
    assert "replicas" not in overlay.find("Deployment", name)["spec"]
    assert "cpu" in {each.get("resource", {}).get("name") for each in scaler["spec"]["metrics"]}


def test_production_scales_workers_by_queue_age():
    """The metric of the autoscaler is one that the adapter's rule provides."""
    spec = manifests("production").find("HorizontalPodAutoscaler", "import-worker")["spec"]
    (metric,) = (each["external"]["metric"]["name"] for each in spec["metrics"] if each["type"] == "External")
    values = ROOT / "deploy/kubernetes/overlays/production/prometheus-adapter-values.yaml"
    assert f"name: {{as: {metric}}}" in values.read_text()


def test_imports_run_in_pods_of_task_service():
    """The Deployment for imports has the pod template of task-service, also after the overlay's patches, and a
    process for each worker at most.
    """
    production = manifests("production")
    templates = {name: production.find("Deployment", name)["spec"]["template"] for name in ("task-service", INGEST)}
    assert yaml.dump(templates[INGEST]).replace(INGEST, "task-service") == yaml.dump(templates["task-service"])
    scalers = (production.find("HorizontalPodAutoscaler", name)["spec"] for name in (INGEST, "import-worker"))
    assert len({each["maxReplicas"] for each in scalers}) == 1


def test_only_workers_call_the_pods_for_imports():
    """The workers' target is the Service of the pods for imports. The gateway's is that of the other pods."""
    production = manifests("production")
    targets = {}
    for name in ("import-worker", "gateway"):
        (container,) = production.containers(production.find("Deployment", name))
        (target,) = (value for key, value in production.environment(container).items() if key.endswith("_TASKS_TARGET"))
        service = production.find("Service", target.removeprefix("dns:///").partition(":")[0])
        targets[name] = service["spec"]["selector"][LABEL]
    assert targets == {"import-worker": INGEST, "gateway": "task-service"}


def test_one_line_switches_the_component_off(tmp_path):
    """Without its line in the overlay production, nothing of the component is left."""
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    overlay = tmp_path / "kubernetes/overlays/production"
    text = (overlay / "kustomization.yaml").read_text()
    line = "  - ../../components/ingest\n"
    assert line in text
    (overlay / "kustomization.yaml").write_text(text.replace(line, ""))
    program = kubectl()
    assert program
    documents = render(str(overlay), program)
    assert {each["metadata"]["name"] for each in documents} >= set(PROGRAMS)
    assert "ingest" not in yaml.dump(documents)


def test_pods_are_restricted(overlay):
    """Every pod meets the restricted standard of Kubernetes, has a read-only root, limits, and no API token."""
    assert {
        each["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] for each in overlay.of_kind("Namespace")
    } == {"restricted"}
    for workload in overlay.workloads():
        pod = pod_of(workload)
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in overlay.containers(workload):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]
