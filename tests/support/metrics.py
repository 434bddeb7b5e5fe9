"""Metrics of the test's own process, and metrics and health checks of another process."""

from urllib.error import HTTPError
from urllib.request import urlopen

from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

_GRPC_TYPES = ("unary", "client_stream", "server_stream", "bidi_stream")


def metric_value(name: str, **labels: str) -> float:
    """Return a metric of this process; 0 without a sample."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def handled_calls(method: str, code: str) -> float:
    """Return the number of handled calls of a method ("/package.Service/Method") in this process."""
    service, _, name = method.removeprefix("/").partition("/")
    labels = {"grpc_service": service, "grpc_method": name, "grpc_code": code}
    return sum(metric_value("grpc_server_handled_total", grpc_type=each, **labels) for each in _GRPC_TYPES)


def get_probe(port: int, path: str) -> tuple[int, str]:
    """Return status and body of a health check."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}") as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


Samples = dict[str, list[tuple[dict[str, str], float]]]


def scrape(port: int) -> Samples:
    """Return the samples of a process by name, each with its labels and its value."""
    _, text = get_probe(port, "/metrics")
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    return samples


def total(samples: Samples, name: str, **labels: str) -> float:
    """Return the sum of the samples of a name that have these labels."""
    return sum(value for found, value in samples.get(name, []) if labels.items() <= found.items())
