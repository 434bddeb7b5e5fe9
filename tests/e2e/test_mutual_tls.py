"""The whole system with mutual TLS between all its services."""

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.rpc.client import sync_channel
from chassis.tls.reloader import CertificateReloader
from tests.certificates import Authority
from tests.stacks import running_stack, servers_of

PREFIXES = {"AUTH": "auth_service", "TASKS": "task_service", "IMPORT_WORKER": "import_worker", "GATEWAY": "gateway"}
ROWS = 40_000


def health(target: str, certificates: CertificateReloader | None) -> int:
    with sync_channel(target, certificates=certificates) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
        return answer.status


def test_calls_and_an_import_go_on_while_every_service_gets_a_new_certificate(tmp_path, request):
    authority = Authority()

    def certify() -> dict[str, str]:
        """Gives every service a new certificate; the settings that name its files."""
        settings = {}
        for prefix, name in PREFIXES.items():
            files = authority.put(tmp_path / name, name, "localhost", "127.0.0.1")
            settings[f"{prefix}_TLS_CERTIFICATE_FILE"] = str(files.certificate)
            settings[f"{prefix}_TLS_KEY_FILE"] = str(files.key)
            settings[f"{prefix}_TLS_AUTHORITY_FILE"] = str(files.authority)
        return settings

    with running_stack(tmp_path / "stack", *servers_of(request.config), **certify()) as stack:
        person = stack.api.person()
        assert person.http.post("/api/tasks", json={"title": "Buy milk"}).status_code == 201
        upload = person.upload("title\n" + "".join(f"row {number}\n" for number in range(ROWS)))
        progress = person.watch(upload["id"])
        assert any(seen["rows_created"] for seen in progress)
        certify()
        finished = person.finished(upload["id"])
        assert (finished["state"], finished["rows_created"]) == ("succeeded", ROWS)
        counted = person.http.get("/api/v1/tasks", params={"include_total": "true", "page_size": 1}).json()
        assert counted["total_size"] == ROWS + 1
        # A client takes the new certificates up with its next call, when it has not looked at them for a second.
        logs = [stack.data_dir / "logs" / f"{name}.log" for name in ("gateway", "task_service", "import_worker-1")]
        for number in range(30):
            person.finished(person.upload(f"title\nmore {number}\n")["id"])
            if all("new certificate files are in use" in log.read_text() for log in logs):
                break
        else:
            pytest.fail("somebody still shows the old certificate")
        # Nobody else gets through to the services.
        for target in (stack.endpoints["auth_target"], stack.endpoints["tasks_target"]):
            foreign = Authority().put(tmp_path / "foreign", "localhost")
            foreign.authority.write_bytes(authority.certificate)
            assert health(target, CertificateReloader(authority.put(tmp_path / "operator", "operator"))) == 1
            for certificates in (None, CertificateReloader(foreign)):
                with pytest.raises(grpc.RpcError) as refused:
                    health(target, certificates)
                assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
