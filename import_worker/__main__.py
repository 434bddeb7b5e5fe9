"""Entry point of the import worker: `python -m import_worker`."""

import os
import sys
import warnings
from pathlib import Path

from chassis.kernel.errors import StartError
from chassis.service import parse_command_line
from chassis.settings import MISCONFIGURED, load_settings
from chassis.tracing.settings import TracingSettings
from import_worker.metrics import metrics_directory
from import_worker.settings import ImportWorkerSettings


def main() -> None:
    parse_command_line("import_worker")
    settings = load_settings(ImportWorkerSettings)
    load_settings(TracingSettings)  # the pool child uses them; a wrong one must end this process
    try:
        with metrics_directory(settings.metrics_listen) as directory:
            exit_code = _run(settings, directory)
    except StartError as error:
        sys.stderr.write(f"import_worker: {error}\n")
        exit_code = MISCONFIGURED
    sys.exit(exit_code)


def _run(settings: ImportWorkerSettings, metrics_path: str) -> int:
    # These import prometheus_client, which must find the directory of the metrics.
    from prometheus_client import CollectorRegistry, ProcessCollector

    from chassis.probes.http_server import serve_probes
    from import_worker.celery_app import app, consumer_health, set_up_logging
    from import_worker.process_metrics import ProcessMetrics

    set_up_logging()  # before Celery logs anything
    # Celery announces the shutdown there, as plain text. The log says it too.
    sys.__stdout__ = Path(os.devnull).open("w")  # type: ignore[misc] # noqa: SIM115 - open until the exit
    # Celery warns root about pickled messages. This worker accepts JSON only.
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    app.conf.update(
        broker_url=settings.redis_url.get_secret_value(),
        shutdown_timeout_seconds=settings.shutdown_timeout_seconds,
    )
    registry = CollectorRegistry()
    if metrics_path:
        registry.register(ProcessMetrics(metrics_path))
        ProcessCollector(registry=registry)
    probes = serve_probes(
        settings.metrics_listen, consumer_health.status, find_problem=consumer_health.find_problem, registry=registry
    )
    with probes:
        worker = app.Worker(
            pool="prefork", without_gossip=True, without_mingle=True, without_heartbeat=True, quiet=True
        )
        worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    main()
