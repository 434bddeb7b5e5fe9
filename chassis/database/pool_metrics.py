"""Metrics of the connection pools of this process, read when Prometheus asks for them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from psycopg_pool import AsyncConnectionPool

_PREFIX = "database_pool_"
# Name and help by the key of the pool's statistics.
_GAUGES = {
    "pool_max": ("max_connections", "Maximum number of connections"),
    "pool_size": ("connections", "Connections that are open or being opened"),
    "pool_available": ("idle_connections", "Open connections that nobody uses"),
    "requests_waiting": ("waiting_requests", "Requests that wait for a connection"),
}
_COUNTERS = {
    "requests_num": ("requests", "Requests for a connection"),
    "requests_queued": ("queued_requests", "Requests that had to wait for a connection"),
    "requests_errors": ("failed_requests", "Requests that got no connection in time"),
    "connections_errors": ("failed_connects", "Attempts to connect that failed"),
    "connections_lost": ("lost_connections", "Connections that were found broken"),
}
_SECONDS = {
    "requests_wait_ms": ("wait_seconds", "Time that requests waited for a connection"),
    "usage_ms": ("usage_seconds", "Time that connections were in use"),
}


class PoolCollector(Collector):
    """Collector of the statistics that the pools keep anyway, so that calls pay nothing for it."""

    def __init__(self) -> None:
        self._pools: dict[str, AsyncConnectionPool[Any]] = {}

    @contextmanager
    def watch(self, name: str, pool: AsyncConnectionPool[Any]) -> Iterator[None]:
        """Report a pool under this name while the context is open."""
        self._pools[name] = pool
        try:
            yield
        finally:
            if self._pools.get(name) is pool:
                del self._pools[name]

    def collect(self) -> Iterable[Metric]:
        """Return the metrics. The thread of the metrics server calls this."""
        stats = {name: pool.get_stats() for name, pool in list(self._pools.items())}
        for key, (suffix, text) in _GAUGES.items():
            gauge = GaugeMetricFamily(_PREFIX + suffix, text, labels=["pool"])
            for name, values in stats.items():
                gauge.add_metric([name], values.get(key, 0))
            yield gauge
        for scale, families in ((1, _COUNTERS), (1000, _SECONDS)):
            for key, (suffix, text) in families.items():
                counter = CounterMetricFamily(_PREFIX + suffix, text, labels=["pool"])
                for name, values in stats.items():
                    counter.add_metric([name], values.get(key, 0) / scale)
                yield counter


POOL_COLLECTOR = PoolCollector()
REGISTRY.register(POOL_COLLECTOR)
