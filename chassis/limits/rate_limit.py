"""Rate limit by client address, with the `limits` library. Counters are in this process, or in a Redis for several."""

import ipaddress
import time
from collections.abc import Iterable
from typing import Any

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from prometheus_client import Counter

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_IPV6_PREFIX_LENGTH = 64

BACKEND_ERRORS = Counter("rate_limit_backend_errors", "Calls that were not counted because the counter was unavailable")
REFUSED_CALLS = Counter("rate_limit_refused", "Calls without a token that were refused by the limit of their address")

log = structlog.get_logger("rate_limit")


class AddressRateLimiter:
    """Counter of calls by address in a sliding minute.

    `storage_url` is memory://, or redis://... when several processes share the counters. While the counters are
    unavailable, calls pass: the limit protects capacity, it is not an access check.
    """

    def __init__(self, *, per_minute: int, storage_url: str) -> None:
        self._limit = RateLimitItemPerMinute(per_minute)
        self._pool: Any = None
        storage: Storage
        if storage_url.startswith("memory:"):
            storage = MemoryStorage()
        else:
            from redis.asyncio import ConnectionPool  # not installed where memory:// is used

            self._pool = ConnectionPool.from_url(storage_url, socket_timeout=1.0, socket_connect_timeout=1.0)
            storage = RedisStorage(f"async+{storage_url}", implementation="redispy", connection_pool=self._pool)
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    async def hit(self, address: str) -> float | None:
        """Count a call. Return None, or the seconds to wait if the limit is exceeded."""
        key = rate_limit_key(address)
        try:
            if await self._limiter.hit(self._limit, key):
                return None
            reset, _ = await self._limiter.get_window_stats(self._limit, key)
        except Exception as error:  # noqa: BLE001 - no failure of the counter may fail a call
            BACKEND_ERRORS.inc()
            log.warning("calls are not counted, the rate limit storage is unavailable", error=type(error).__name__)
            return None
        REFUSED_CALLS.inc()
        return max(reset - time.time(), 1.0)

    async def close(self) -> None:
        """Close the connections to a Redis. The library does not close them."""
        if self._pool is not None:
            await self._pool.aclose()


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse an address. An IPv4-mapped IPv6 address (::ffff:10.0.0.1) becomes IPv4. Return None for other text."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def is_in_networks(address: str, networks: Iterable[Network]) -> bool:
    """Return True if the text is an address in one of the networks."""
    parsed = parse_address(address)
    return parsed is not None and any(parsed in network for network in networks)


def rate_limit_key(address: str) -> str:
    """Return the counter's key: an IPv4 address, or a /64 network of IPv6, because one host has 2^64 addresses."""
    parsed = parse_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, _IPV6_PREFIX_LENGTH), strict=False))
    return str(parsed or address)
