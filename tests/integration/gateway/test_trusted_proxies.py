"""The client's address behind proxies: the rightmost address of X-Forwarded-For that is not a trusted proxy's."""

import ipaddress

import httpx2
import pytest
from taskmanager.auth.v1 import auth_service_pb2

from gateway.server import run_server
from gateway.transport.request.client_address import ClientAddressResolver
from tests.integration.gateway.conftest import settings
from tests.integration.gateway.raw_http import HEALTH, connected, read_head

PROXIES = [ipaddress.ip_network(network) for network in ("127.0.0.1", "10.0.0.0/8", "fd00::/8")]


async def login_statuses(services, forwarded, **changes):
    """Log in once for each value of X-Forwarded-For, with a limit of one login a minute."""
    services.respond_with("Login", auth_service_pb2.LoginResponse())
    async with (
        run_server(settings(services, public_calls_per_minute=1, **changes)) as address,
        httpx2.AsyncClient(base_url=f"http://{address}") as client,
    ):
        return [
            (await client.post("/api/login", json={}, headers={"x-forwarded-for": value})).status_code
            for value in forwarded
        ]


async def test_clients_behind_a_proxy_have_limits_of_their_own(services):
    forwarded = ["192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3, 192.0.2.1", "192.0.2.3, 10.1.1.1"]
    statuses = await login_statuses(services, forwarded, trusted_proxies="127.0.0.1, 10.0.0.0/8")
    assert statuses == [200, 200, 429, 429, 200]


async def test_header_is_ignored_without_trusted_proxies(services):
    """Any client can send the header, and would have a new limit for each address that it invents."""
    assert await login_statuses(services, ["192.0.2.1", "192.0.2.2"]) == [200, 429]
    assert await login_statuses(services, ["192.0.2.1", "192.0.2.2"], trusted_proxies="10.0.0.0/8") == [200, 429]


async def test_trusted_proxies_have_no_connection_limit(services):
    """A proxy's connections belong to many clients."""
    limits = {"max_connections_per_address": 1, "trusted_proxies": "127.0.0.1"}
    async with (
        run_server(settings(services, **limits)) as address,
        connected(address) as (first_reader, first),
        connected(address) as (second_reader, second),
    ):
        for reader, writer in ((first_reader, first), (second_reader, second)):
            writer.write(HEALTH + b"\r\n")
            assert (await read_head(reader)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("peer", "lines", "client"),
    [
        ("192.0.2.9", ["198.51.100.1"], "192.0.2.9"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["203.0.113.7, 198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["198.51.100.1, 10.1.1.1,10.1.1.2"], "198.51.100.1"),
        ("127.0.0.1", ["203.0.113.7, 198.51.100.1", "10.1.1.1"], "198.51.100.1"),
        ("127.0.0.1", ["10.1.1.9, 10.1.1.1"], "10.1.1.9"),
        ("127.0.0.1", ["198.51.100.1, unknown, 10.1.1.1"], "10.1.1.1"),
        ("127.0.0.1", ["198.51.100.1, unknown"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("127.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("127.0.0.1", ["[2001:db8::1]:4711, fd00::1"], "2001:db8::1"),
        ("::ffff:127.0.0.1", ["::ffff:198.51.100.1, ::ffff:10.1.1.1"], "198.51.100.1"),
        ("127.0.0.1", ["\xff"], "127.0.0.1"),
    ],
)
def test_client_is_the_rightmost_untrusted_address(peer, lines, client):
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in lines]
    assert ClientAddressResolver(PROXIES).resolve(peer, [(b"host", b"a"), *headers]) == client
    assert ClientAddressResolver(()).resolve(peer, headers) == peer
