"""Manifests of the connection pooler: they agree with the services that connect to it."""

import re

import pytest

from deploy.kubernetes.validate import kubectl

pytestmark = pytest.mark.skipif(kubectl() is None, reason="kubectl is not installed")


def test_pooler_reads_files_that_exist(overlay):
    """pgbouncer includes files of its ConfigMap. A second section of its own would reset the settings of the first."""
    files = overlay.find("ConfigMap", "pgbouncer")["data"]
    included = re.findall(r"^%include (.+)$", files["pgbouncer.ini"], re.MULTILINE)
    (container,) = overlay.containers(overlay.find("Deployment", "pgbouncer"))
    (folder,) = (each["mountPath"] for each in container["volumeMounts"] if each["name"] == "settings")
    assert {f"{folder}/{name}" for name in files if name != "pgbouncer.ini"} == set(included)
    assert sum(text.count("[pgbouncer]") for text in files.values()) - files["pgbouncer.ini"].count("# A second") == 1
    assert re.search(r"^pool_mode = transaction$", files["pgbouncer.ini"], re.MULTILINE)
    for prefix, name in (("AUTH", "auth-service"), ("TASKS", "task-service")):
        assert overlay.find("ConfigMap", name)["data"][f"{prefix}_DATABASE_PREPARED_STATEMENTS"] == "false"


def test_pooler_accepts_the_pools_of_all_replicas(overlay):
    """One replica of pgbouncer has room for the pools of every service at its maximum number of replicas."""
    text = overlay.find("ConfigMap", "pgbouncer")["data"]["pgbouncer.ini"]
    room = re.search(r"^max_client_conn = (\d+)$", text, re.MULTILINE)
    clients = 0
    for name in overlay.servers:
        (container,) = overlay.containers(overlay.find("Deployment", name))
        for variable, value in overlay.environment(container).items():
            if variable.endswith("_DATABASE_POOL_SIZE"):
                clients += overlay.find("HorizontalPodAutoscaler", name)["spec"]["maxReplicas"] * int(value)
    assert clients
    assert room
    assert int(room[1]) >= clients
