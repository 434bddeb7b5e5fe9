"""Rate limit by address for calls that need no token."""

import httpx2
import pytest
from taskmanager.auth.v1 import auth_service_pb2
from taskmanager.tasks.v1 import task_service_pb2

from chassis.limits.rate_limit import rate_limit_key
from deploy.local.host.free_ports import find_free_port
from gateway.server import run_server
from tests.integration.gateway.conftest import settings
from tests.support.metrics import metric_value

LOGIN = {"email": "sonu@example.com", "password": "x"}


@pytest.fixture
def fake_services(services):
    services.respond_with("Login", auth_service_pb2.LoginResponse())
    services.respond_with("ListTasks", task_service_pb2.ListTasksResponse())
    services.respond_with("GetJwks", auth_service_pb2.Jwks())
    return services


async def statuses(services, times, *paths, **changes):
    async with (
        run_server(settings(services, public_calls_per_minute=3, **changes)) as address,
        httpx2.AsyncClient(base_url=f"http://{address}") as client,
    ):
        return [await client.post(paths[number % len(paths)], json=LOGIN) for number in range(times)], [
            await client.get(path) for path in ("/api/tasks", "/.well-known/jwks.json")
        ]


async def test_rate_limit_counts_public_calls_by_address(fake_services):
    """All paths of a login share one limit by address; other calls have none."""
    refusals = metric_value("rate_limit_refused_total")
    logins, others = await statuses(fake_services, 5, "/api/login", "/api/v1/login", "/api/auth/login")
    assert [response.status_code for response in logins] == [200, 200, 200, 429, 429]
    assert [response.status_code for response in others] == [200, 200]
    assert metric_value("rate_limit_refused_total") == refusals + 2
    error = logins[-1].json()["error"]
    assert (error["status"], error["details"][0]["reason"]) == ("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS")
    assert 1 <= int(logins[-1].headers["retry-after"]) <= 60


async def test_gateways_share_the_limit_in_redis(fake_services, redis_url):
    first, _ = await statuses(fake_services, 2, "/api/login", rate_limit_storage_url=redis_url)
    second, _ = await statuses(fake_services, 2, "/api/login", rate_limit_storage_url=redis_url)
    assert [response.status_code for response in first + second] == [200, 200, 200, 429]


async def test_unreachable_redis_disables_the_limit(fake_services):
    logins, _ = await statuses(
        fake_services, 5, "/api/login", rate_limit_storage_url=f"redis://127.0.0.1:{find_free_port()}/0"
    )
    assert {response.status_code for response in logins} == {200}


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
def test_ipv6_network_counts_as_one_address(address, network):
    """The addresses of one IPv6 /64 network, and an IPv4 address in both forms, count as one."""
    assert rate_limit_key(address) == network
