"""References between the manifests for Kubernetes: each one names what exists."""

import pytest

from deploy.kubernetes.validate import kubectl
from tests.architecture.manifests import LABEL, Document, Manifests, labels_of, manifests, pod_of, selects

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


def server_of(overlay: Manifests, host: str) -> Document:
    """Return the Deployment behind the Service of a target."""
    return overlay.find("Deployment", overlay.find("Service", host)["spec"]["selector"][LABEL])


def certificate_of(overlay: Manifests, workload: Document) -> Document:
    """Return the specification of the certificate that the pods of a workload present."""
    (volume,) = (each for each in pod_of(workload)["volumes"] if each["name"] == "tls")
    (certificate,) = (
        each["spec"]
        for each in overlay.of_kind("Certificate")
        if each["spec"]["secretName"] == volume["secret"]["secretName"]
    )
    return certificate


def test_certificates_have_the_names_of_the_targets():
    """With mutual TLS, the certificate of a server names the host by which its callers and Traefik reach it."""
    production = manifests("production")
    for name in production.servers:
        workload = production.find("Deployment", name)
        (container,) = production.containers(workload)
        variables = production.environment(container)
        certificate = certificate_of(production, workload)
        assert {"server auth", "client auth"} <= set(certificate["usages"])
        (folder,) = (each["mountPath"] for each in container["volumeMounts"] if each["name"] == "tls")
        files = {value for variable, value in variables.items() if "_TLS_" in variable}
        assert files == {f"{folder}/{file}" for file in ("tls.crt", "tls.key", "ca.crt")}
        for variable, value in variables.items():
            if variable.endswith("_TARGET"):
                host = value.removeprefix("dns:///").partition(":")[0]
                assert host in certificate_of(production, server_of(production, host))["dnsNames"]
    for transport in production.of_kind("ServersTransport"):
        server = transport["spec"]["serverName"]
        assert server in certificate_of(production, server_of(production, server))["dnsNames"]
        secrets = {each["spec"]["secretName"] for each in production.of_kind("Certificate")}
        assert set(transport["spec"]["certificatesSecrets"]) <= secrets


def test_targets_are_headless_services(overlay):
    """Callers balance their calls by DNS, so a target is a headless Service and its internal port."""
    for name in overlay.servers:
        (container,) = overlay.containers(overlay.find("Deployment", name))
        for variable, value in overlay.environment(container).items():
            if variable.endswith("_TARGET"):
                host, port = value.removeprefix("dns:///").split(":")
                service = overlay.find("Service", host)
                assert service["spec"]["clusterIP"] == "None"
                assert {each["port"] for each in service["spec"]["ports"]} == {int(port)}
                (listener,) = overlay.containers(server_of(overlay, host))
                internal = [
                    value
                    for variable, value in overlay.environment(listener).items()
                    if variable.endswith("INTERNAL_LISTEN")
                ]
                assert [each.rpartition(":")[2] for each in internal] == [port]
