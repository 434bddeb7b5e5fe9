"""Entry point of the import worker: `python -m import_worker`."""

import sys
import warnings

from chassis.service import parse_command_line
from chassis.settings import load_settings
from chassis.tracing.settings import TracingSettings
from import_worker.settings import ImportWorkerSettings


def main() -> None:
    parse_command_line("import_worker")
    settings = load_settings(ImportWorkerSettings)
    load_settings(TracingSettings)  # the pool child uses them; a wrong one must end this process
    from import_worker.celery_app import app, set_up_logging

    set_up_logging()  # before Celery logs anything
    # Celery warns root about pickled messages. This worker accepts JSON only.
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    app.conf.update(
        broker_url=settings.redis_url.get_secret_value(),
        heartbeat_file=str(settings.heartbeat_file or ""),
        shutdown_timeout_seconds=settings.shutdown_timeout_seconds,
    )
    worker = app.Worker(pool="prefork", without_gossip=True, without_mingle=True, without_heartbeat=True, quiet=True)
    worker.start()
    sys.exit(worker.exitcode or 0)


if __name__ == "__main__":
    main()
