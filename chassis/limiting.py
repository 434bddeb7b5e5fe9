"""How many calls an address may make, by the `limits` library: counted in this process or, in a Redis, for many."""

import ipaddress
import time
from typing import Any

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from prometheus_client import Counter

_IPV6_NETWORK = 64

UNCOUNTED = Counter("rate_limit_backend_errors", "Calls let through because the counter could not be asked")

log = structlog.get_logger("limiting")


class AddressRateLimiter:
    """Counts calls by address in a sliding minute.

    `storage_url` is memory://, or redis://... for processes that count together. Where the counter can't be asked,
    calls pass: this keeps a crowd from the door, it is not the lock.
    """

    def __init__(self, *, per_minute: int, storage_url: str) -> None:
        self._limit = RateLimitItemPerMinute(per_minute)
        self._pool: Any = None
        storage: Storage
        if storage_url.startswith("memory:"):
            storage = MemoryStorage()
        else:
            from redis.asyncio import ConnectionPool  # only who counts in a Redis needs its client

            self._pool = ConnectionPool.from_url(storage_url, socket_timeout=1.0, socket_connect_timeout=1.0)
            storage = RedisStorage(f"async+{storage_url}", implementation="redispy", connection_pool=self._pool)
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    async def wait(self, address: str) -> float | None:
        """Counts a call; the seconds to wait when it is one too many, else None."""
        who = network_of(address)
        try:
            if await self._limiter.hit(self._limit, who):
                return None
            reset, _ = await self._limiter.get_window_stats(self._limit, who)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the counter, the service works
            UNCOUNTED.inc()
            log.warning("calls are not counted", error=type(error).__name__)
            return None
        return max(reset - time.time(), 1.0)

    async def close(self) -> None:
        """Ends the connections to a Redis; the library leaves that to whoever uses it."""
        if self._pool is not None:
            await self._pool.aclose()


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address, an IPv4 one that is written as IPv6 (::ffff:10.0.0.1) as what it is; None for what is none."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def network_of(address: str) -> str:
    """What is counted as one: an IPv4 address, an IPv6 network of 64 bits (every host has 2^64 of those addresses)."""
    parsed = parse_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))
    return str(parsed or address)
