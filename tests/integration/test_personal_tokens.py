"""Personal access tokens through the gateway and both services: what a script does with one, and how it ends."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx2 as httpx
import pytest
from taskmanager.auth.v1 import user_pb2, user_service_pb2, user_service_pb2_grpc
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from chassis.rpc.client import open_channel
from tests.faults.proxy import TcpProxy
from tests.support.metrics import handled_calls
from tests.support.rest import error_details, rest_client
from tests.support.system import Principal

EXCHANGE = "/taskmanager.auth.v1.TokenService/ExchangeToken"
FILE = b"title\nBuy milk\n"


def exchanges() -> float:
    """Return the number of exchanges that auth_service has answered in this process."""
    return handled_calls(EXCHANGE, "OK")


@asynccontextmanager
async def script(system, user, *scopes):
    """Yield a REST client that sends a new personal access token of the user."""
    token = await system.create_token(user, *scopes)
    async with rest_client(system, Principal(user.id, token.token)) as client:
        yield client


async def until_unauthorized(client: httpx.AsyncClient, path: str = "/tasks") -> httpx.Response:
    """Repeat a request until it is a 401; it must be one within seconds."""
    async with asyncio.timeout(20):
        while (response := await client.get(path)).status_code != 401:
            assert response.status_code == 200
            await asyncio.sleep(0.05)
    return response


async def change_role(system, user, role: "user_pb2.Role.ValueType") -> None:
    admin = await system.new_admin()
    async with open_channel(system.auth_target) as channel:
        users = user_service_pb2_grpc.UserServiceStub(channel)
        await users.UpdateUser(user_service_pb2.UpdateUserRequest(id=user.id, role=role), metadata=admin.metadata)


async def test_life_of_a_token_over_rest(system, sonu, rest):
    """A person creates a token, a script uses it, and the person sees its use and ends it."""
    created = await rest.post("/me/tokens", json={"name": "export", "scopes": ["tasks:write", "tasks:read"]})
    assert created.status_code == 201, created.text
    body = created.json()
    assert set(body) == {"token", "id", "name", "scopes", "created_at", "expires_at", "last_used_at"}
    assert (body["name"], body["scopes"], body["last_used_at"]) == ("export", ["tasks:read", "tasks:write"], None)
    async with rest_client(system, Principal(sonu.id, body["token"])) as client:
        task = await client.post("/tasks", json={"title": "Buy milk"})
        assert task.status_code == 201
        assert [each["id"] for each in (await client.get("/tasks")).json()["tasks"]] == [task.json()["id"]]
        assert (await client.get("/tasks:export")).status_code == 200
        listed = (await rest.get("/me/tokens")).json()
        assert listed["next_page_token"] == ""
        [token] = listed["tokens"]
        assert set(token) == set(body) - {"token"}
        assert token["last_used_at"] is not None
        ended = await rest.delete(f"/me/tokens/{body['id']}")
        assert (ended.status_code, ended.json()) == (200, {})
        response = await until_unauthorized(client)
        assert error_details(response) == [("PERSONAL_TOKEN_REVOKED", None)]
    assert (await rest.get("/me/tokens")).json()["tokens"] == []
    assert (await rest.delete(f"/me/tokens/{body['id']}")).status_code == 404


async def test_wrong_requests_name_field_and_reason(rest):
    cases = {
        ("MISSING_FIELD", "name"): {"scopes": ["tasks:read"]},
        ("UNKNOWN_SCOPE", "scopes"): {"name": "x", "scopes": ["admin"]},
        ("EXPIRY_IN_PAST", "expires_at"): {"name": "x", "scopes": ["tasks:read"], "expires_at": "2020-01-01T00:00:00Z"},
        ("EXPIRY_TOO_FAR", "expires_at"): {"name": "x", "scopes": ["tasks:read"], "expires_at": "2099-01-01T00:00:00Z"},
    }
    for expected, body in cases.items():
        response = await rest.post("/me/tokens", json=body)
        assert (response.status_code, error_details(response)) == (400, [expected])


async def test_scopes_limit_a_token_everywhere(system, sonu):
    async with script(system, sonu, "tasks:read") as client:
        assert (await client.get("/tasks")).status_code == 200
        refused = await client.post("/tasks", json={"title": "x"})
        assert (refused.status_code, error_details(refused)) == (403, [("TOKEN_SCOPE_MISSING", None)])
        assert refused.json()["error"]["details"][0]["metadata"] == {"scopes": "tasks:write"}
        upload = await client.post("/imports", content=FILE, headers={"content-type": "text/csv"})
        assert (upload.status_code, error_details(upload)) == (403, [("TOKEN_SCOPE_MISSING", None)])
        assert (await client.get("/me")).status_code == 403
        for call in (client.get("/me/tokens"), client.post("/logout", json={}), client.get("/me/sessions")):
            response = await call
            assert (response.status_code, error_details(response)) == (403, [("TOKEN_NOT_ALLOWED", None)])


async def test_upload_and_stream_by_token(system, sonu):
    async with script(system, sonu, "imports:write") as client:
        created = await client.post("/imports", content=FILE, headers={"content-type": "text/csv"})
        assert created.status_code == 202, created.text
        async with client.stream("GET", f"/imports/{created.json()['id']}:watch") as stream:
            assert stream.status_code == 200
            assert await anext(line async for line in stream.aiter_lines() if line.startswith("data:"))


async def test_open_stream_ends_with_its_token(system, sonu):
    token = await system.create_token(sonu, "events:read")
    async with (
        rest_client(system, Principal(sonu.id, token.token)) as client,
        rest_client(system, sonu) as owner,
        client.stream("GET", "/events:watch") as stream,
    ):
        assert stream.status_code == 200
        assert (await owner.delete(f"/me/tokens/{token.id}")).status_code == 200
        async with asyncio.timeout(20):
            text = await stream.aread()
        assert b"TOKEN_REVOKED" in text
        assert (await client.get("/events:watch")).status_code == 401


async def test_concurrent_requests_share_one_exchange(system, sonu):
    async with script(system, sonu, "tasks:read") as client:
        before = exchanges()
        responses = await asyncio.gather(*(client.get("/tasks") for _ in range(50)))
        assert {response.status_code for response in responses} == {200}
        assert exchanges() - before == 1


async def test_new_role_takes_effect_without_an_error(system, sonu):
    """A promotion revokes the JWT of the token. The gateway renews it, and the script sees only the new rights."""
    mina = await system.new_user("mina")
    foreign = await system.tasks.CreateTask(
        task_service_pb2.CreateTaskRequest(task=task_pb2.Task(title="Hers")), metadata=mina.metadata
    )
    async with script(system, sonu, "tasks:read") as client:
        assert (await client.get(f"/tasks/{foreign.id}")).status_code == 404
        before = exchanges()
        await change_role(system, sonu, user_pb2.ROLE_MANAGER)
        async with asyncio.timeout(20):
            while (response := await client.get(f"/tasks/{foreign.id}")).status_code != 200:
                assert response.status_code == 404
        assert exchanges() - before == 1


async def test_disabled_user_loses_the_token_within_seconds(system, sonu):
    async with script(system, sonu, "tasks:read") as client:
        assert (await client.get("/tasks")).status_code == 200
        admin = await system.new_admin()
        async with rest_client(system, admin) as administration:
            changed = await administration.patch(f"/users/{sonu.id}", json={"disabled": True})
            assert changed.status_code == 200
            await until_unauthorized(client)
            await administration.patch(f"/users/{sonu.id}", json={"disabled": False})
        assert error_details(await client.get("/tasks")) == [("PERSONAL_TOKEN_REVOKED", None)]


async def test_admin_ends_a_token_over_rest(system, sonu):
    token = await system.create_token(sonu, "tasks:read")
    async with (
        rest_client(system, await system.new_admin()) as admin,
        rest_client(system, Principal(sonu.id, token.token)) as client,
    ):
        assert (await client.get("/tasks")).status_code == 200
        [listed] = (await admin.get(f"/users/{sonu.id}/tokens")).json()["tokens"]
        assert listed["id"] == token.id
        assert (await admin.delete(f"/users/{sonu.id}/tokens/{token.id}")).status_code == 200
        await until_unauthorized(client)
        assert (await client.get(f"/users/{sonu.id}/tokens")).status_code == 401


async def test_without_auth_service_new_tokens_are_a_503(system, sonu):
    """A token that nobody can check is not wrong. One that was exchanged before goes on working."""
    host, port = system.auth_target.split(":")
    cold, warm = [await system.create_token(sonu, "tasks:read") for _ in range(2)]
    headers = [{"authorization": f"Bearer {token.token}"} for token in (cold, warm)]
    with TcpProxy(host, int(port)) as proxy:
        behind_proxy = replace(system, auth_target=f"127.0.0.1:{proxy.port}")
        async with rest_client(behind_proxy, sonu) as client:
            assert (await client.get("/tasks", headers=headers[1])).status_code == 200
            await asyncio.to_thread(proxy.__exit__)
            response = await client.get("/tasks", headers=headers[0])
            assert (response.status_code, error_details(response)) == (503, [("UNAVAILABLE", None)])
            assert (await client.get("/tasks", headers=headers[1])).status_code == 200
            wrong = {"authorization": f"Bearer {cold.token[:-1]}"}
            assert (await client.get("/tasks", headers=wrong)).status_code == 401


async def test_access_log_of_the_services_names_the_token(system, sonu, capfd):
    token = await system.create_token(sonu, "tasks:read")
    jwt = await system.exchange(token.token)
    await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(), metadata=Principal(sonu.id, jwt).metadata)
    output = "".join(capfd.readouterr())
    assert [token.id in line for line in output.splitlines() if "ListTasks" in line] == [True]
    assert token.token not in output


@pytest.mark.parametrize("scope", ["tasks:read", "events:read"])
async def test_history_of_a_task_by_two_scopes(system, sonu, rest, scope):
    task = (await rest.post("/tasks", json={"title": "x"})).json()
    async with script(system, sonu, scope) as client:
        assert (await client.get(f"/tasks/{task['id']}/events")).status_code == 200
