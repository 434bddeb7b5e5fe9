"""References between the manifests for Kubernetes: each one names what exists."""

import pytest

from deploy.kubernetes.validate import kubectl
from tests.architecture.manifests import LABEL, SERVERS, labels_of, manifests, pod_of, selects

pytestmark = pytest.mark.skipif(kubectl() is None, reason="kubectl is not installed")


def test_selectors_match_workloads(overlay):
    """Each selector matches a workload, and a Service names ports of the containers."""
    pods = [labels_of(each) for each in overlay.workloads()]
    servers = overlay.of_kind("Deployment", "StatefulSet")
    assert all(selects(each["spec"]["selector"], labels_of(each)) for each in servers)
    for service in overlay.of_kind("Service"):
        labels = {"matchLabels": service["spec"]["selector"]}
        (target,) = (each for each in servers if selects(labels, labels_of(each)))
        names = {port["name"] for container in overlay.containers(target) for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names
    for kind, path in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        for each in overlay.of_kind(kind):
            assert any(selects(each["spec"][path], labels) for labels in pods), each["metadata"]["name"]


def test_references_resolve(overlay):
    """Every volume, ConfigMap, Secret, claim and account that a pod names exists."""
    accounts = {each["metadata"]["name"] for each in overlay.of_kind("ServiceAccount")}
    certificates = {each["spec"]["secretName"] for each in overlay.of_kind("Certificate")}
    sources = {
        ("secret", "secretName"): overlay.secrets.keys() | certificates,
        ("configMap", "name"): {each["metadata"]["name"] for each in overlay.of_kind("ConfigMap")},
        ("persistentVolumeClaim", "claimName"): {
            each["metadata"]["name"] for each in overlay.of_kind("PersistentVolumeClaim")
        },
    }
    for workload in overlay.workloads():
        pod = pod_of(workload)
        # The data servers of the overlay dev use the default account, without its token.
        assert workload["kind"] == "StatefulSet" or pod["serviceAccountName"] in accounts
        claims = {each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", [])}
        volumes = {each["name"]: each for each in pod["volumes"]}
        for container in overlay.containers(workload):
            assert {each["name"] for each in container["volumeMounts"]} == volumes.keys() | claims
        for volume in volumes.values():
            for (source, key), names in sources.items():
                assert source not in volume or volume[source][key] in names


def test_ingress_reaches_ports_of_services(overlay):
    (ingress,) = overlay.of_kind("Ingress")
    for rule in ingress["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            backend = path["backend"]["service"]
            service = overlay.find("Service", backend["name"])
            assert backend["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
            assert service["spec"].get("clusterIP") != "None"


def test_certificates_have_the_names_of_the_targets():
    """With mutual TLS, the certificate of a server names the host by which its callers and Traefik reach it."""
    production = manifests("production")
    certificates = {each["spec"]["secretName"]: each["spec"] for each in production.of_kind("Certificate")}
    for name in SERVERS:
        workload = production.find("Deployment", name)
        (container,) = production.containers(workload)
        variables = production.environment(container)
        (volume,) = (each for each in pod_of(workload)["volumes"] if each["name"] == "tls")
        certificate = certificates[volume["secret"]["secretName"]]
        assert {"server auth", "client auth"} <= set(certificate["usages"])
        (folder,) = (each["mountPath"] for each in container["volumeMounts"] if each["name"] == "tls")
        files = {value for variable, value in variables.items() if "_TLS_" in variable}
        assert files == {f"{folder}/{file}" for file in ("tls.crt", "tls.key", "ca.crt")}
        for variable, value in variables.items():
            if variable.endswith("_TARGET"):
                host = value.removeprefix("dns:///").partition(":")[0]
                assert host in certificates[f"{host.removesuffix('-internal')}-tls"]["dnsNames"]
    for transport in production.of_kind("ServersTransport"):
        server = transport["spec"]["serverName"]
        assert server in certificates[f"{server}-tls"]["dnsNames"]
        assert set(transport["spec"]["certificatesSecrets"]) <= certificates.keys()


def test_targets_are_headless_services(overlay):
    """Callers balance their calls by DNS, so a target is a headless Service and its internal port."""
    for name in SERVERS:
        (container,) = overlay.containers(overlay.find("Deployment", name))
        for variable, value in overlay.environment(container).items():
            if variable.endswith("_TARGET"):
                host, port = value.removeprefix("dns:///").split(":")
                service = overlay.find("Service", host)
                assert service["spec"]["clusterIP"] == "None"
                assert {each["port"] for each in service["spec"]["ports"]} == {int(port)}
                owner = overlay.find("Deployment", service["spec"]["selector"][LABEL])
                (listener,) = overlay.containers(owner)
                internal = [
                    value
                    for variable, value in overlay.environment(listener).items()
                    if variable.endswith("INTERNAL_LISTEN")
                ]
                assert [each.rpartition(":")[2] for each in internal] == [port]
