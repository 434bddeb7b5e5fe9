"""Runs the import worker: `python -m import_worker`."""

import sys
import warnings

from chassis.settings import load_settings
from import_worker.settings import ImportWorkerSettings


def main() -> None:
    settings = load_settings(ImportWorkerSettings)
    from import_worker.celery_app import app, use_our_logs

    use_our_logs()  # before Celery says anything
    # As root Celery warns of pickled messages; only JSON is accepted here.
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    app.conf.update(
        broker_url=settings.redis_url.get_secret_value(),
        heartbeat_file=str(settings.heartbeat_file or ""),
        shutdown_seconds=settings.shutdown_seconds,
    )
    worker = app.Worker(pool="prefork", without_gossip=True, without_mingle=True, without_heartbeat=True, quiet=True)
    worker.start()
    sys.exit(worker.exitcode or 0)


if __name__ == "__main__":
    main()
