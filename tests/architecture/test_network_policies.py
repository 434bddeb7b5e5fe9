"""NetworkPolicies of the manifests: they allow the flows that the settings name, and nothing else."""

from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import pytest

from deploy.kubernetes.validate import kubectl
from tests.architecture.manifests import (
    LABEL,
    Document,
    Manifests,
    labels_of,
    manifests,
    named,
    selects,
    urls_in,
)

pytestmark = pytest.mark.skipif(kubectl() is None, reason="kubectl is not installed")

DEFAULT_PORTS = {"postgresql": 5432, "redis": 6379}


def rules(overlay: Manifests, direction: str, labels: dict[str, str]) -> list[Document]:
    """Return the rules in a direction of all policies that select a pod."""
    policies = [each["spec"] for each in overlay.of_kind("NetworkPolicy")]
    return [
        rule
        for policy in policies
        if direction.capitalize() in policy["policyTypes"] and selects(policy["podSelector"], labels)
        for rule in policy.get(direction, [])
    ]


def allows(rule: dict[str, Any], peers: str, port: int, labels: dict[str, str] | None) -> bool:
    """Return True if a rule covers the port and the pod, or an address outside the cluster for None."""
    is_peer = any(
        "ipBlock" in peer
        if labels is None
        else "namespaceSelector" not in peer and selects(peer.get("podSelector"), labels)
        for peer in rule[peers]
    )
    return is_peer and port in {each["port"] for each in rule["ports"]}


def flows(overlay: Manifests) -> set[tuple[str, str, int]]:
    """Return what the settings and Secrets name: the pod that calls, the host and the port."""
    found = set()
    for workload in overlay.of_kind("Deployment", "Job"):
        caller = labels_of(workload)[LABEL]
        values: dict[str, str] = {}
        for container in overlay.containers(workload):
            values |= overlay.environment(container)
        targets = [value for name, value in values.items() if name.endswith("_TARGET")]
        found |= {(caller, *_split(target)) for target in targets}
        files = overlay.secret_files(workload)
        for url in urls_in(files):
            # The URLs of roles that a Job only creates or reads are at the same server.
            parts = urlsplit(url)
            found.add((caller, str(parts.hostname), parts.port or DEFAULT_PORTS[parts.scheme]))
    settings = overlay.find("ConfigMap", "pgbouncer")["data"]["databases.ini"]
    words = dict(word.split("=", 1) for word in settings.splitlines()[1].split()[2:])
    return found | {("pgbouncer", words["host"], int(words["port"]))}


def _split(target: str) -> tuple[str, int]:
    host, port = target.removeprefix("dns:///").split(":")
    return host, int(port)


def test_every_flow_of_the_settings_is_allowed(overlay):
    """Both ends allow each connection that a target or a URL names."""
    named_flows = flows(overlay)
    assert len(named_flows) >= 14
    services = {each["metadata"]["name"]: each["spec"]["selector"][LABEL] for each in overlay.of_kind("Service")}
    for caller, host, port in named_flows:
        server = services.get(host)
        assert server or host.endswith(".example.com")
        to = named(server) if server else None
        egress = rules(overlay, "egress", named(caller))
        assert any(allows(rule, "to", port, to) for rule in egress), f"{caller} may not call {host}:{port}"
        if server:
            ingress = rules(overlay, "ingress", named(server))
            assert any(allows(rule, "from", port, named(caller)) for rule in ingress), f"{server} refuses {caller}"


def test_no_flow_beside_those_of_the_settings_is_allowed(overlay):
    """A rule that allows a pod of this system belongs to a flow that the settings name."""
    services = {each["metadata"]["name"]: each["spec"]["selector"][LABEL] for each in overlay.of_kind("Service")}
    needed = {(caller, services[host], port) for caller, host, port in flows(overlay) if host in services}
    pods = {labels_of(each)[LABEL] for each in overlay.workloads()}
    allowed = {
        (caller, server, each["port"])
        for caller in pods
        for server in pods
        for rule in rules(overlay, "egress", named(caller))
        for each in rule["ports"]
        if allows(rule, "to", each["port"], named(server))
    }
    accepted = {
        (caller, server, each["port"])
        for caller in pods
        for server in pods
        for rule in rules(overlay, "ingress", named(server))
        for each in rule["ports"]
        if allows(rule, "from", each["port"], named(caller))
    }
    assert allowed == needed
    assert accepted == needed


def test_everything_else_is_denied(overlay):
    """One policy selects every pod and allows nothing. No rule is without peers or ports."""
    policies = {each["metadata"]["name"]: each["spec"] for each in overlay.of_kind("NetworkPolicy")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for policy in policies.values():
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for rule in policy.get(direction, []):
                assert rule[peers]
                assert rule["ports"]


def test_public_ports_are_open_to_the_ingress_only(overlay):
    """Only the namespaces of the ingress controller and of the monitoring reach a pod from outside the namespace."""
    outside: dict[str, set[int]] = {}
    for workload in overlay.workloads():
        for rule in rules(overlay, "ingress", labels_of(workload)):
            for peer in rule["from"]:
                if "namespaceSelector" in peer:
                    namespace = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
                    outside.setdefault(namespace, set()).update(each["port"] for each in rule["ports"])
    expected = {"traefik": {8080, 50051, 50052}, "monitoring": {9100}}
    assert outside == expected | ({"kube-system": {8080, 50051, 50052}} if "kube-system" in outside else {})


def test_dns_is_allowed_to_every_pod(overlay):
    for workload in overlay.workloads():
        egress = rules(overlay, "egress", labels_of(workload))
        assert any(
            {(each["port"], each["protocol"]) for each in rule["ports"] if "protocol" in each}
            >= {(53, "UDP"), (53, "TCP")}
            for rule in egress
        )


def test_every_pod_with_a_bucket_reaches_it():
    """The pods whose uploads are in a bucket may connect to public addresses, and no other pod may."""
    production = manifests("production")
    for workload in production.of_kind("Deployment"):
        (container,) = production.containers(workload)
        has_bucket = production.environment(container).get("TASKS_STORE_URL", "").startswith("s3://")
        egress = rules(production, "egress", labels_of(workload))
        assert any(allows(rule, "to", 443, None) for rule in egress) == has_bucket, workload["metadata"]["name"]


def test_object_store_excludes_private_networks():
    """Access to the bucket opens HTTPS to public addresses, and not to the metadata service of the cloud."""
    spec = manifests("production").find("NetworkPolicy", "to-object-store")["spec"]
    ((block,), (port,)) = spec["egress"][0]["to"], spec["egress"][0]["ports"]
    assert port["port"] == 443
    metadata = ip_address("169.254.169.254")
    assert any(metadata in ip_network(each) for each in block["ipBlock"]["except"])


def test_traces_reach_the_collector():
    production = manifests("production")
    for workload in production.of_kind("Deployment"):
        (container,) = production.containers(workload)
        endpoint = production.environment(container).get("OTEL_EXPORTER_OTLP_ENDPOINT")
        assert bool(endpoint) == (workload["metadata"]["name"] != "pgbouncer")
        if endpoint:
            url = urlsplit(endpoint)
            assert url.port in {
                each["port"]
                for rule in rules(production, "egress", labels_of(workload))
                for peer in rule["to"]
                if peer.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name")
                == str(url.hostname).rpartition(".")[2]
                for each in rule["ports"]
            }
