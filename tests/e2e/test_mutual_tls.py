"""The whole system with mutual TLS between its services."""

import asyncio
from uuid import uuid4

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.rpc.client import open_channel
from chassis.tls.reloader import CertificateReloader
from tests.support.certificates import CertificateAuthority
from tests.support.stack import running_stack, server_options
from tests.support.waiting import wait_until

PREFIXES = {"AUTH": "auth_service", "TASKS": "task_service", "IMPORT_WORKER": "import_worker", "GATEWAY": "gateway"}
ROWS = 40_000


def check_health(target: str, certificates: CertificateReloader | None) -> int:
    async def call() -> int:
        async with open_channel(target, certificates=certificates) as channel:
            response = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
            return response.status

    return asyncio.run(call())


def test_certificate_rotation_interrupts_nothing(tmp_path, request):
    """Calls and an import continue while every service gets a new certificate."""
    authority = CertificateAuthority()

    def write_certificates() -> dict[str, str]:
        """Write a new certificate for every service; return the settings that name its files."""
        settings = {}
        for prefix, name in PREFIXES.items():
            files = authority.write(tmp_path / name, name, "localhost", "127.0.0.1")
            settings[f"{prefix}_TLS_CERTIFICATE_FILE"] = str(files.certificate)
            settings[f"{prefix}_TLS_KEY_FILE"] = str(files.key)
            settings[f"{prefix}_TLS_AUTHORITY_FILE"] = str(files.authority)
        return settings

    with running_stack(tmp_path / "stack", *server_options(request.config), **write_certificates()) as stack:
        user = stack.api.new_user()
        assert user.http.post("/api/tasks", json={"title": "Buy milk"}).status_code == 201
        upload = user.upload("title\n" + "".join(f"row {number}\n" for number in range(ROWS)))
        progress = user.watch_import(upload["id"])
        assert any(update["rows_created"] for update in progress)
        write_certificates()
        finished = user.wait_for_import(upload["id"])
        assert (finished["state"], finished["rows_created"]) == ("succeeded", ROWS)
        assert user.http.get("/api/v1/tasks:stats").json()["total"] == ROWS + 1
        # A client reloads the certificates at its next call, at most once a second.
        logs = [stack.data_dir / "logs" / f"{name}.log" for name in ("gateway", "task_service", "import_worker-1")]

        def use_new_certificates() -> bool:
            user.wait_for_import(user.upload(f"title\n{uuid4()}\n")["id"])
            return all("new certificate files are in use" in log.read_text() for log in logs)

        wait_until(use_new_certificates)
        # A client without a certificate reaches no service.
        for target in (stack.endpoints["auth_target"], stack.endpoints["tasks_target"]):
            untrusted = CertificateAuthority().write(tmp_path / "untrusted", "localhost")
            untrusted.authority.write_bytes(authority.certificate)
            operator = CertificateReloader(authority.write(tmp_path / "operator", "operator"))
            assert check_health(target, operator) == health_pb2.HealthCheckResponse.SERVING
            for certificates in (None, CertificateReloader(untrusted)):
                with pytest.raises(grpc.RpcError) as raised:
                    check_health(target, certificates)
                assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
