"""Secrets never appear where an operator reads: in logs, process arguments or errors."""

import json
import secrets
from typing import Any

import grpc
import httpx2 as httpx
import psutil
import pytest
from taskmanager.auth.v1 import auth_service_pb2, auth_service_pb2_grpc

from tests.support.users import User

CANARY = "canary in a coal mine"


@pytest.fixture
def admin(stack):
    account = stack.endpoints["admin"]
    return stack.api.login(account["email"], account["password"])


def use_every_secret(stack, admin) -> tuple[list[str], list[str]]:
    """Create and use every kind of secret, correctly and wrongly; return the secrets and all error responses."""
    name = f"user-{secrets.token_hex(4)}"
    email = f"{name}@example.com"
    secret_values, output = [CANARY], []

    def post(path: str, body: object, token: str = "", **options) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        response = httpx.post(stack.url + path, json=body, headers=headers, timeout=60, **options)
        if response.is_error:
            output.append(response.text + str(response.headers))
        return response.json()

    def collect_tokens(response: dict[str, Any]) -> dict[str, Any]:
        secret_values.extend(response[key] for key in ("access_token", "refresh_token") if key in response)
        return response

    post("/api/register", {"username": CANARY + "\0", "email": CANARY, "password": CANARY, "role": CANARY})
    user = post("/api/register", {"username": name, "email": email, "password": CANARY})
    post("/api/login", {"email": email, "password": CANARY + "!"})
    post("/api/login", {"email": CANARY, "password": CANARY})
    post("/api/login", {"email": email, "password": [CANARY]})
    login = collect_tokens(post("/api/login", {"email": email, "password": CANARY}))
    token = login["access_token"]
    post("/api/tasks", {"title": ""}, token)
    post("/api/tasks", {"title": "x"}, token + "x")
    post("/api/tasks", {"title": "x"}, params={"access_token": token})
    post("/api/v1/me:changePassword", {"current_password": CANARY + "?", "new_password": CANARY}, token)
    scripted = post("/api/v1/me/tokens", {"name": "script", "scopes": ["tasks:write"]}, token)["token"]
    post("/api/tasks", {"title": "x"}, scripted)
    post("/api/tasks", {"title": "x"}, scripted + "x")
    post("/api/v1/me/tokens", {"name": scripted, "scopes": [scripted]}, scripted)
    post("/api/tasks", {"title": "x"}, params={"access_token": scripted})
    secret_values.append(scripted)
    import_file(stack, token, scripted)
    refreshed = collect_tokens(post("/api/v1/token:refresh", {"refresh_token": login["refresh_token"]}))
    post("/api/v1/token:refresh", {"refresh_token": login["refresh_token"]})
    post("/api/v1/me:changePassword", {"current_password": CANARY, "new_password": CANARY}, refreshed["access_token"])
    code = admin.post(f"/api/v1/users/{user['id']}:resetPassword", json={}).json()["reset_code"]
    reset = {"reset_code": code, "new_password": CANARY + " 2"}
    for _ in range(2):
        post("/api/v1/password:reset", reset)
    service = f"service-{secrets.token_hex(4)}"
    created = admin.post("/api/v1/service-accounts", json={"name": service, "scopes": ["tasks:read"]}).json()
    rotated = admin.post(f"/api/v1/service-accounts/{created['service_account']['id']}:rotate", json={}).json()
    secret_values.extend(issued["credential"].partition(".")[2] for issued in (created, rotated))
    with grpc.insecure_channel(stack.endpoints["auth_target"]) as channel:
        stub = auth_service_pb2_grpc.AuthServiceStub(channel)
        old_credential = auth_service_pb2.IssueServiceTokenRequest(credential=created["credential"])
        with pytest.raises(grpc.RpcError) as raised:
            stub.IssueServiceToken(old_credential, timeout=10)
        output.append(str(raised.value))
        new_credential = auth_service_pb2.IssueServiceTokenRequest(credential=rotated["credential"])
        secret_values.append(stub.IssueServiceToken(new_credential, timeout=10).access_token)
    return [*secret_values, code], output


def import_file(stack, token: str, personal_token: str) -> None:
    """Import a file whose cells are secret, with a JWT; fail with a token without the scope, and with a wrong one."""
    data = f"title,status,due_date\n{CANARY},pending,\n,{CANARY},{CANARY}\n"
    for bearer, status in ((token, 202), (personal_token, 403), (token + "x", 401)):
        files = {"file": (f"{secrets.token_hex(4)}.csv", data, "text/csv")}
        headers = {"authorization": f"Bearer {bearer}"}
        url = f"{stack.url}/api/v1/imports"
        response = httpx.post(url, files=files, headers=headers, params={"allow_same_file": "true"}, timeout=60)
        assert response.status_code == status, response.text
        if status == 202:
            owner = User("", httpx.Client(base_url=stack.url, headers=headers, timeout=60))
            with owner.http:
                assert owner.wait_for_import(response.json()["id"])["state"] == "succeeded"


def test_no_secret_in_logs_errors_or_arguments(stack, admin):
    secret_values, output = use_every_secret(stack, admin)
    assert output, "some of the requests must fail"
    stored = json.loads((stack.data_dir / "secrets.json").read_text())
    for name, value in stored.items():
        if name != "admin_email":
            secret_values.append(value.rpartition(".")[2])
    assert len(secret_values) > 12
    logs = {path.name: path.read_text(errors="replace") for path in (stack.data_dir / "logs").glob("*.log")}
    assert {"auth_service.log", "task_service.log", "gateway.log", "import_worker-1.log"} <= logs.keys()
    arguments = [
        " ".join(process.cmdline())
        for pid in stack.endpoints["processes"].values()
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
    ]
    for secret in secret_values:
        assert [name for name, text in logs.items() if secret in text] == [], secret[:4]
        assert [text for text in arguments if secret in text] == [], secret[:4]
        assert [text for text in output if secret in text] == [], secret[:4]
