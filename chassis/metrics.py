"""Metrics for Prometheus, on an address of their own."""

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from chassis.settings import Listen

RPC_HANDLED = Counter("grpc_server_handled", "Calls answered", ["method", "code"])
RPC_SECONDS = Histogram(
    "grpc_server_handling_seconds",
    "Time from a call's arrival to its last byte",
    ["method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
RPC_IN_FLIGHT = Gauge("grpc_server_in_flight", "Calls being answered")
TRUST_FAILURES = Counter("trust_poll_failures", "Polls of the trust state that got no answer")
TRUST_UPDATED = Gauge("trust_updated_timestamp_seconds", "When the trust state was last answered")
TLS_EXPIRES = Gauge(
    "tls_certificate_expires_timestamp_seconds", "When this process's certificate expires; 0 without TLS"
)
TLS_FAILURES = Counter("tls_reload_failures", "New certificate files that could not be used")


def expose(listen: Listen | None) -> None:
    """Serves GET /metrics from a thread; nothing where no address is set."""
    if listen is not None:
        start_http_server(listen.port, listen.host)
