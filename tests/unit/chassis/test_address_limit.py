"""Whose calls are counted by address, and under which."""

import ipaddress

import pytest

from chassis.limits.rate_limit import AddressRateLimiter
from chassis.limits.rate_limit_interceptor import RateLimitInterceptor
from chassis.limits.rate_limit_interceptor import peer_address

TRUSTED = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "is_trusted"),
    [
        ("ipv4:10.1.2.3:5000", True),
        ("ipv6:%5B::ffff:10.1.2.3%5D:5000", True),  # the same address, on a socket for both kinds
        ("ipv6:%5Bfd00::1%5D:5000", True),
        ("ipv4:11.1.2.3:5000", False),
        ("ipv6:%5B::ffff:11.1.2.3%5D:5000", False),
        ("ipv6:%5B2001:db8::1%5D:5000", False),
        ("unix:/run/10.1.2.3", False),
    ],
)
def test_a_peer_is_trusted_by_its_address_however_it_is_written(peer, is_trusted):
    limiter = AddressRateLimiter(per_minute=1, storage_url="memory://")
    interceptor = RateLimitInterceptor(limiter=limiter, methods=(), trusted=TRUSTED)
    assert interceptor._is_trusted(peer_address(peer)) is is_trusted
