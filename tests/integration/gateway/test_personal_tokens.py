"""Personal access tokens at the gateway: exchanged once, kept as JWTs, and refused in the order of the costs."""

import asyncio

import grpc
import httpx2
import pytest
import structlog
from google.api import httpbody_pb2
from structlog.testing import capture_logs
from taskmanager.auth.v1 import auth_service_pb2, token_service_pb2
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from chassis.kernel.personal_tokens import build_personal_token
from chassis.rpc.errors import RichStatus
from gateway.server import run_server
from gateway.transport.endpoints import unary
from tests.integration.gateway.conftest import settings
from tests.support.rest import error_details
from tests.support.waiting import until

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


def new_token(number: int = 1) -> str:
    return build_personal_token(number.to_bytes(32))


TOKEN = new_token()
HEADERS = {"authorization": f"Bearer {TOKEN}"}


class Exchanges:
    """ExchangeToken of the fake services: it issues jwt-1, jwt-2 and so on. Calls with the JWTs in `ended` fail."""

    def __init__(self, services) -> None:
        self.services = services
        self.issued = 0
        self.ended: dict[str, str] = {}
        self.seen: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        services.handlers["ExchangeToken"] = self.exchange
        services.handlers["ListTasks"] = self.reply(task_service_pb2.ListTasksResponse())
        services.handlers["CreateTask"] = self.reply(task_pb2.Task(id="t1"))

    async def exchange(self, _request, _context):
        await self.may_answer.wait()
        self.issued += 1
        return token_service_pb2.ExchangeTokenResponse(
            access_token=f"jwt-{self.issued}", token_type="Bearer", expires_in=900, token_id="id-of-token"
        )

    async def check(self, context) -> None:
        jwt = dict(context.invocation_metadata())["authorization"].removeprefix("Bearer ")
        self.seen.append(jwt)
        if reason := self.ended.get(jwt):
            await RichStatus(UNAUTHENTICATED, "Ended.", reason).abort(context)

    def reply(self, message):
        async def handle(_request, context):
            await self.check(context)
            return message

        return handle


@pytest.fixture
def exchanges(services):
    return Exchanges(services)


@pytest.fixture
async def client(services, exchanges):
    """A client of a gateway of its own, whose cache is empty."""
    async with run_gateway(services) as client:
        yield client


def run_gateway(services, **changes):
    return _Gateway(settings(services, drain_seconds=1, **changes))


class _Gateway:
    def __init__(self, settings):
        self._running = run_server(settings)

    async def __aenter__(self):
        address = await self._running.__aenter__()
        self._client = httpx2.AsyncClient(base_url=f"http://{address}", headers=HEADERS, timeout=30)
        return self._client

    async def __aexit__(self, *error):
        await self._client.aclose()
        await self._running.__aexit__(*error)


async def test_token_is_exchanged_once_for_many_calls(client, exchanges, services):
    """Services get the JWT and never the token."""
    for _ in range(5):
        assert (await client.get("/api/v1/tasks")).status_code == 200
    created = await client.post("/api/v1/tasks", json={"title": "x"}, headers={"authorization": f"bearer  {TOKEN}"})
    assert created.status_code == 201
    assert services.requests["ExchangeToken"] == [token_service_pb2.ExchangeTokenRequest(token=TOKEN)]
    assert set(exchanges.seen) == {"jwt-1"}


async def test_cold_token_is_exchanged_once_by_concurrent_calls(client, exchanges, services):
    """Fifty requests arrive with one token before the exchange has answered."""
    exchanges.may_answer.clear()
    requests = asyncio.gather(*(client.get("/api/v1/tasks") for _ in range(50)))
    await services.called.wait()
    exchanges.may_answer.set()
    assert {response.status_code for response in await requests} == {200}
    assert (exchanges.issued, len(exchanges.seen)) == (1, 50)


async def test_other_credentials_are_forwarded_unchanged(client, exchanges):
    for text in ("eyJ.a.b", "TM_x", "xtm_y"):
        await client.get("/api/v1/tasks", headers={"authorization": f"Bearer {text}"})
    await client.get("/api/v1/tasks", headers={"authorization": f"Basic {TOKEN}"})
    assert exchanges.issued == 0
    assert exchanges.seen == ["eyJ.a.b", "TM_x", "xtm_y", f"Basic {TOKEN}"]


@pytest.mark.parametrize("token", [TOKEN[:-1], TOKEN + "0", "tm_", TOKEN[:20] + "x" + TOKEN[21:]])
async def test_mistyped_token_is_a_401_without_a_call(client, services, token):
    response = await client.get("/api/v1/tasks", headers={"authorization": f"Bearer {token}"})
    assert response.status_code == 401
    assert error_details(response) == [("INVALID_PERSONAL_TOKEN", None)]
    assert response.headers["www-authenticate"] == "Bearer"
    assert services.calls == 0


async def test_refused_token_is_remembered(client, exchanges, services):
    services.fail_with("ExchangeToken", UNAUTHENTICATED, "PERSONAL_TOKEN_EXPIRED", "It has expired.")
    for _ in range(5):
        response = await client.get("/api/v1/tasks")
        assert response.status_code == 401
        assert error_details(response) == [("PERSONAL_TOKEN_EXPIRED", None)]
        assert response.json()["error"]["message"] == "It has expired."
    assert services.calls == 1
    # Another token is not affected.
    services.handlers["ExchangeToken"] = exchanges.exchange
    other = await client.get("/api/v1/tasks", headers={"authorization": f"Bearer {new_token(2)}"})
    assert other.status_code == 200


async def test_many_wrong_tokens_of_one_address_are_a_429(services, exchanges):
    """The limit counts exchanges only: neither mistyped tokens, nor remembered ones, nor JWTs in the cache."""
    async with run_gateway(services, public_calls_per_minute=3) as client:
        for _ in range(10):
            assert (await client.get("/api/v1/tasks")).status_code == 200
        services.fail_with("ExchangeToken", UNAUTHENTICATED, "INVALID_PERSONAL_TOKEN")
        statuses = []
        for number in (2, 3, 3, 3, 4, 5):
            response = await client.get("/api/v1/tasks", headers={"authorization": f"Bearer {new_token(number)}"})
            statuses.append(response.status_code)
        assert statuses == [401, 401, 401, 401, 429, 429]
        assert error_details(response) == [("TOO_MANY_CALLS", None)]
        assert int(response.headers["retry-after"]) >= 1
        assert len(services.requests["ExchangeToken"]) == 3
        # A token whose JWT is in the cache is not affected.
        assert (await client.get("/api/v1/tasks")).status_code == 200


@pytest.mark.parametrize(
    "code",
    [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.CANCELLED],
)
async def test_failed_exchange_is_a_503_and_not_remembered(client, exchanges, services, code):
    """The token may well be valid, so that the answer is never a 401."""
    services.fail_with("ExchangeToken", code, code.name, "secret text")
    response = await client.get("/api/v1/tasks")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert "secret text" not in response.text
    services.handlers["ExchangeToken"] = exchanges.exchange
    assert (await client.get("/api/v1/tasks")).status_code == 200


async def test_overloaded_auth_service_is_a_503(client, exchanges, services):
    services.fail_with("ExchangeToken", grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", wait=3)
    response = await client.get("/api/v1/tasks")
    assert (response.status_code, response.headers["retry-after"]) == (503, "3")


@pytest.mark.parametrize("reason", ["TOKEN_REVOKED", "TOKEN_EXPIRED"])
async def test_ended_jwt_is_renewed_and_the_call_repeated(client, exchanges, reason):
    """A new role of the user revokes the JWT but not the token. The client notices nothing."""
    assert (await client.get("/api/v1/tasks")).status_code == 200
    exchanges.ended["jwt-1"] = reason
    assert (await client.post("/api/v1/tasks", json={"title": "x"})).status_code == 201
    assert (await client.get("/api/v1/tasks")).status_code == 200
    assert exchanges.seen == ["jwt-1", "jwt-1", "jwt-2", "jwt-2"]


async def test_second_refusal_is_passed_on(client, exchanges):
    exchanges.ended = {"jwt-1": "TOKEN_REVOKED", "jwt-2": "TOKEN_REVOKED"}
    response = await client.get("/api/v1/tasks")
    assert response.status_code == 401
    assert error_details(response) == [("TOKEN_REVOKED", None)]
    assert exchanges.seen == ["jwt-1", "jwt-2"]


async def test_other_refusals_are_not_repeated(client, exchanges):
    exchanges.ended["jwt-1"] = "ACCOUNT_GONE"
    assert (await client.get("/api/v1/tasks")).status_code == 401
    assert (exchanges.seen, exchanges.issued) == (["jwt-1"], 1)


async def test_call_that_may_have_begun_is_not_repeated(client, exchanges, monkeypatch):
    """A service checks the token again during a long call, which may have changed something by then."""
    monkeypatch.setattr(unary, "STREAM_CHECK_SECONDS", 0.0)
    exchanges.ended["jwt-1"] = "TOKEN_REVOKED"
    assert (await client.post("/api/v1/tasks", json={"title": "x"})).status_code == 401
    assert exchanges.seen == ["jwt-1"]
    # The JWT is gone all the same.
    assert (await client.post("/api/v1/tasks", json={"title": "x"})).status_code == 201


async def test_revoked_token_is_refused_at_its_next_exchange(client, exchanges, services):
    assert (await client.get("/api/v1/tasks")).status_code == 200
    exchanges.ended["jwt-1"] = "TOKEN_REVOKED"
    services.fail_with("ExchangeToken", UNAUTHENTICATED, "PERSONAL_TOKEN_REVOKED")
    for _ in range(3):
        assert error_details(await client.get("/api/v1/tasks")) == [("PERSONAL_TOKEN_REVOKED", None)]
    assert exchanges.seen == ["jwt-1", "jwt-1"]
    assert len(services.requests["ExchangeToken"]) == 2


async def test_public_call_ignores_a_personal_token(client, exchanges, services):
    """A login needs no token, so that a wrong one does not matter, and no service gets it."""
    services.respond_with("Login", auth_service_pb2.LoginResponse())
    login = {"email": "sonu@example.com", "password": "x"}
    response = await client.post("/api/v1/login", json=login, headers={"authorization": f"Bearer {TOKEN[:-1]}"})
    assert response.status_code == 200
    assert "authorization" not in services.metadata
    assert exchanges.issued == 0


async def test_upload_by_token(client, exchanges, services, upload_messages):
    response = await client.post("/api/v1/imports", content=b"title\nx\n", headers={"content-type": "text/csv"})
    assert response.status_code == 202, response.text
    assert services.metadata["authorization"] == "Bearer jwt-1"
    assert [message.WhichOneof("message") for message in upload_messages] == ["options", "chunk", "finish"]


async def test_download_by_token(client, exchanges, services):
    async def reply(_request, context):
        await exchanges.check(context)
        yield httpbody_pb2.HttpBody(content_type="text/csv", data=b"title\n")

    services.handlers["ExportTasks"] = reply
    assert (await client.get("/api/v1/tasks:export")).content == b"title\n"
    exchanges.ended["jwt-1"] = "TOKEN_REVOKED"
    # A stream is not repeated, but its client gets a new JWT with the next one.
    assert (await client.get("/api/v1/tasks:export")).status_code == 401
    assert (await client.get("/api/v1/tasks:export")).content == b"title\n"
    assert exchanges.seen == ["jwt-1", "jwt-1", "jwt-2"]


async def test_stream_that_ends_with_its_jwt_reconnects(client, exchanges, services):
    """A stream ends with its JWT, as it does with the one of a session. The next one has a new JWT."""

    async def watch(_request, context):
        yield import_pb2.Import(id="i1")
        exchanges.ended.setdefault("jwt-1", "TOKEN_REVOKED")
        await exchanges.check(context)

    services.handlers["WatchImport"] = watch
    first = await client.get("/api/v1/imports/i1:watch")
    assert first.status_code == 200
    assert "TOKEN_REVOKED" in first.text
    second = await client.get("/api/v1/imports/i1:watch")
    assert "TOKEN_REVOKED" not in second.text
    assert exchanges.seen == ["jwt-1", "jwt-2"]


async def test_log_line_names_the_token(client, exchanges):
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        await client.get("/api/v1/tasks")
        await client.get("/api/v1/tasks", headers={"authorization": "Bearer abc"})
        await until(lambda: sum(line["event"] == "request" for line in logs) == 2)
    lines = [line for line in logs if line["event"] == "request"]
    assert [line.get("token_id") for line in lines] == ["id-of-token", None]
    assert TOKEN not in str(logs)
