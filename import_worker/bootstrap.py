"""The only place that names concrete classes of all rooms."""

import os
import socket
import time
from collections.abc import Callable

from chassis.rpc.client import sync_channel
from chassis.rpc.service_token import ThreadTokenSource
from chassis.tls.reloader import CertificateReloader
from import_worker.clients.grpc_ingest import GrpcIngest
from import_worker.clients.service_token import ServiceTokenIssuer
from import_worker.domain.record_reader import BatchLimits
from import_worker.settings import ImportWorkerSettings
from import_worker.usecases.import_slice import ImportSlice, SlicePolicy
from import_worker.usecases.ports import Stopping
from import_worker.usecases.run_slices import RunSlices


def build_run(settings: ImportWorkerSettings, *, stopping: Stopping) -> Callable[[], None]:
    """Wire the job. Its channels live as long as the process, which must not be a fork of one with channels."""
    certificates = CertificateReloader.from_files(settings.tls)
    auth = sync_channel(settings.auth_target, certificates=certificates)
    issue = ServiceTokenIssuer(
        auth, credential=settings.auth_credential.get_secret_value(), timeout=settings.answer_seconds
    )
    tasks = sync_channel(settings.tasks_target, certificates=certificates, token=ThreadTokenSource(issue=issue))
    ingest = GrpcIngest(tasks, worker=f"{socket.gethostname()}:{os.getpid()}", patience=settings.answer_seconds)
    return RunSlices(
        ingest=ingest,
        import_slice=ImportSlice(
            ingest=ingest,
            stopping=stopping,
            batches=BatchLimits(rows=settings.batch_rows),
            policy=SlicePolicy(seconds=settings.slice_seconds, window=settings.window),
            monotonic=time.monotonic,
            sleep=time.sleep,
        ),
        stopping=stopping,
    )
