"""Prometheus metrics that every service has. chassis.probes serves them."""

from prometheus_client import Counter, Gauge

# The worker has several processes. Of their values of a gauge, its /metrics shows the latest: `mostrecent`.

TRUST_FAILURES = Counter("trust_poll_failures", "Failed polls of the trust state")
TRUST_UPDATED = Gauge("trust_updated_timestamp_seconds", "Time of the last successful poll of the trust state")
TRUST_REVOCATIONS = Gauge(
    "trust_revocations", "Revocations in memory, of sessions and of all tokens of a user before an epoch", ["kind"]
)
TLS_EXPIRES = Gauge(
    "tls_certificate_expires_timestamp_seconds",
    "Expiry of this process's certificate; 0 without TLS",
    multiprocess_mode="mostrecent",
)
TLS_FAILURES = Counter("tls_reload_failures", "New certificate files that were unusable")

LOOP_SUCCEEDED = Gauge(
    "background_loop_succeeded_timestamp_seconds",
    "Time of the last successful run or commit of a background loop, or of its start",
    ["loop"],
    multiprocess_mode="mostrecent",
)
LOOP_INTERVAL = Gauge(
    "background_loop_interval_seconds",
    "Pause between two runs of a background loop",
    ["loop"],
    multiprocess_mode="mostrecent",
)
DEPENDENCY_UP = Gauge(
    "dependency_up",
    "1 if the last contact with a dependency succeeded, else 0",
    ["dependency"],
    multiprocess_mode="mostrecent",
)
LOOP_FAILURES = Counter("background_loop_failures", "Failed runs of a background loop", ["loop"])


class InProgress:
    """Number of things in progress, which its gauge reads only when Prometheus asks for it. One thread changes it."""

    __slots__ = ("count",)

    def __init__(self, gauge: Gauge) -> None:
        self.count = 0
        gauge.set_function(lambda: self.count)
