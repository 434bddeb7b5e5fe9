"""Prometheus metrics that every service has. chassis.probes serves them."""

from prometheus_client import Counter, Gauge, Histogram

RPC_HANDLED = Counter("grpc_server_handled", "Completed calls", ["method", "code"])
RPC_SECONDS = Histogram(
    "grpc_server_handling_seconds",
    "Time from the arrival of a call to its last byte",
    ["method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
RPC_IN_FLIGHT = Gauge("grpc_server_in_flight", "Calls in progress")
TRUST_FAILURES = Counter("trust_poll_failures", "Failed polls of the trust state")
TRUST_UPDATED = Gauge("trust_updated_timestamp_seconds", "Time of the last successful poll of the trust state")
TLS_EXPIRES = Gauge("tls_certificate_expires_timestamp_seconds", "Expiry of this process's certificate; 0 without TLS")
TLS_FAILURES = Counter("tls_reload_failures", "New certificate files that were unusable")

LOOP_SUCCEEDED = Gauge(
    "background_loop_succeeded_timestamp_seconds",
    "Time of the last successful run or commit of a background loop, or of its start",
    ["loop"],
)
LOOP_INTERVAL = Gauge("background_loop_interval_seconds", "Pause between two runs of a background loop", ["loop"])
DEPENDENCY_UP = Gauge("dependency_up", "1 if the last contact with a dependency succeeded, else 0", ["dependency"])
LOOP_FAILURES = Counter("background_loop_failures", "Failed runs of a background loop", ["loop"])
