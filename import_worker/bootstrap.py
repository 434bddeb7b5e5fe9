"""Wiring of the import worker: the only module that names concrete classes of all layers."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from chassis.rpc.client import open_channel
from chassis.rpc.service_token import TokenSource
from chassis.tls.reloader import CertificateReloader
from chassis.tracing.spans import in_trace
from import_worker.clients.grpc_ingest import GrpcIngestClient
from import_worker.clients.service_token import ServiceTokenIssuer
from import_worker.domain.lease import Lease
from import_worker.domain.record_parser import BatchLimits
from import_worker.settings import ImportWorkerSettings
from import_worker.usecases.process_lease import Outcome, ProcessingPolicy, ProcessLease
from import_worker.usecases.process_queue import ProcessQueue


@asynccontextmanager
async def open_worker(
    settings: ImportWorkerSettings, *, is_stopping: Callable[[], bool]
) -> AsyncIterator[ProcessQueue]:
    """Yield the wired use case, whose channels belong to the running event loop.

    A gRPC channel does not survive a fork: enter this in the process that does the work.
    """
    certificates = CertificateReloader.from_files(settings.tls)
    timeout_seconds = settings.read_timeout_seconds
    async with AsyncExitStack() as stack:
        auth = await stack.enter_async_context(open_channel(settings.auth_target, certificates=certificates))
        tasks = await stack.enter_async_context(open_channel(settings.tasks_target, certificates=certificates))
        credential = settings.auth_credential.get_secret_value()
        issue_token = ServiceTokenIssuer(auth, credential=credential, timeout_seconds=timeout_seconds)
        client = GrpcIngestClient(
            tasks,
            token=TokenSource(issue=issue_token),
            worker_name=f"{socket.gethostname()}:{os.getpid()}",
            read_timeout_seconds=timeout_seconds,
        )
        process_lease = ProcessLease(
            client=client,
            is_stopping=is_stopping,
            batch_limits=BatchLimits(max_rows=settings.max_batch_rows),
            policy=ProcessingPolicy(
                time_slice_seconds=settings.time_slice_seconds,
                max_unacknowledged_batches=settings.max_unacknowledged_batches,
            ),
            monotonic=time.monotonic,
            sleep=asyncio.sleep,
        )

        async def process_in_trace(lease: Lease) -> Outcome:
            with in_trace(lease.traceparent):
                return await process_lease(lease)

        yield ProcessQueue(client=client, process_lease=process_in_trace, is_stopping=is_stopping)
