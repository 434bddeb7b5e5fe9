"""Calls that need no token are counted by address; all others are not."""

import httpx2
import pytest
from taskmanager.auth.v1 import auth_service_pb2
from taskmanager.tasks.v1 import task_service_pb2

from chassis.limits.rate_limit import rate_limit_key
from deploy.local.ports import free_port
from gateway.bootstrap import gateway
from tests.integration.gateway.conftest import settings

LOGIN = {"email": "sonu@example.com", "password": "x"}


@pytest.fixture
def answering(services):
    services.answer("Login", auth_service_pb2.LoginResponse())
    services.answer("ListTasks", task_service_pb2.ListTasksResponse())
    services.answer("GetJwks", auth_service_pb2.Jwks())
    return services


async def statuses(services, times, *paths, **changes):
    async with (
        gateway(settings(services, public_calls_per_minute=3, **changes)) as address,
        httpx2.AsyncClient(base_url=f"http://{address}") as client,
    ):
        return [await client.post(paths[number % len(paths)], json=LOGIN) for number in range(times)], [
            await client.get(path) for path in ("/api/tasks", "/.well-known/jwks.json")
        ]


async def test_logins_of_one_address_are_counted_whatever_path_they_take_and_other_calls_pass(answering):
    logins, others = await statuses(answering, 5, "/api/login", "/api/v1/login", "/api/auth/login")
    assert [answer.status_code for answer in logins] == [200, 200, 200, 429, 429]
    assert [answer.status_code for answer in others] == [200, 200]
    error = logins[-1].json()["error"]
    assert (error["status"], error["details"][0]["reason"]) == ("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS")
    assert 1 <= int(logins[-1].headers["retry-after"]) <= 60


async def test_gateways_count_together_in_redis(answering, redis_url):
    first, _ = await statuses(answering, 2, "/api/login", rate_limit_storage_url=redis_url)
    second, _ = await statuses(answering, 2, "/api/login", rate_limit_storage_url=redis_url)
    assert [answer.status_code for answer in first + second] == [200, 200, 200, 429]


async def test_a_counter_that_cannot_be_asked_shuts_nobody_out(answering):
    logins, _ = await statuses(answering, 5, "/api/login", rate_limit_storage_url=f"redis://127.0.0.1:{free_port()}/0")
    assert {answer.status_code for answer in logins} == {200}


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("unix:/run/s", "unix:/run/s"),
    ],
)
def test_a_host_is_one_whatever_address_of_its_network_it_takes(address, network):
    assert rate_limit_key(address) == network
