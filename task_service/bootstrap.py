"""Where the service is put together: the only module that names the concrete classes of all rooms."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from chassis.database.pool import open_pool
from chassis.lifecycle import run_in_background, run_periodically
from chassis.limits.load_shed import Capacity
from chassis.metrics import serve_metrics
from chassis.rpc.server import GrpcServer
from chassis.rpc.trust import TrustPoller, TrustState
from chassis.tls.reloader import CertificateReloader
from chassis.tokens import TokenVerifier
from task_service.clients.auth import auth_client
from task_service.clients.object_store import ObstoreObjectStore
from task_service.clients.user_directory import CachedUserDirectory
from task_service.clients.worker_notifier import CeleryWorkerNotifier
from task_service.history.persistence.unit_of_work import SqlHistoryReadSession, SqlHistoryUnitOfWork
from task_service.imports.persistence.notifications import PostgresSignals
from task_service.imports.persistence.row_encoder import copy_rows
from task_service.persistence.unit_of_work import SqlTasksReading, SqlTasksUnitOfWork
from task_service.settings import TasksSettings
from task_service.status import STATUS
from task_service.wiring import Wiring

DISPATCH_SECONDS = 1.0
SWEEP_SECONDS = 60.0


@asynccontextmanager
async def serving(settings: TasksSettings) -> AsyncIterator[GrpcServer]:
    """The whole service, running. It says that it is ready once it knows whose tokens to trust."""
    serve_metrics(settings.metrics_listen)
    database_url = settings.database_url.get_secret_value()
    certificates = CertificateReloader.from_files(settings.tls)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            open_pool(database_url, name="task_service", size=settings.database_pool_size)
        )
        auth = await stack.enter_async_context(
            auth_client(settings.auth_target, settings.auth_credential.get_secret_value(), certificates=certificates)
        )
        wake_ups = CeleryWorkerNotifier(settings.redis_url.get_secret_value())
        stack.callback(wake_ups.close)
        signals = PostgresSignals(database_url)
        trust = TrustState()
        poller = TrustPoller(state=trust, fetch=auth.get_trust_state)
        wiring = Wiring(
            settings=settings,
            begin=lambda: SqlTasksUnitOfWork(pool),
            read=lambda: SqlTasksReading(pool),
            bulk_rows=copy_rows,
            begin_history=lambda: SqlHistoryUnitOfWork(pool),
            read_history=lambda: SqlHistoryReadSession(pool),
            user_directory=CachedUserDirectory(auth),
            store=ObstoreObjectStore(settings.store_url),
            signals=signals,
            wake_ups=wake_ups,
        )
        server = GrpcServer(
            listen=settings.listen,
            registrations=wiring.registrations(),
            verifier=TokenVerifier(trust=trust, issuer=settings.token_issuer, audience=settings.token_audience),
            status=STATUS,
            with_reflection=settings.reflection,
            drain_seconds=settings.drain_seconds,
            certificates=certificates,
            capacity=Capacity(
                max_concurrent_calls=settings.max_concurrent_calls,
                max_concurrent_streams=settings.max_concurrent_streams,
                max_streams_per_caller=settings.max_streams_per_caller,
            ),
        )
        await server.start()
        await stack.enter_async_context(
            run_in_background(
                poller.run(),
                signals.run(),
                run_periodically(wiring.wake_workers, interval=DISPATCH_SECONDS, wake=wiring.something_queued),
                run_periodically(wiring.run_undos, interval=DISPATCH_SECONDS, wake=wiring.undo_asked),
                run_periodically(wiring.sweep_uploads, interval=SWEEP_SECONDS),
                run_periodically(wiring.empty_trash, interval=SWEEP_SECONDS),
                run_periodically(wiring.forget_answers, interval=SWEEP_SECONDS),
                run_periodically(wiring.forget_rehearsals, interval=SWEEP_SECONDS),
                run_periodically(wiring.history.append_blocks, interval=settings.block_interval_seconds),
                run_periodically(wiring.expire_uploads, interval=SWEEP_SECONDS),
                _ready(server, poller),
            )
        )
        stack.push_async_callback(server.stop)
        stack.callback(wiring.draining.set)
        yield server


async def _ready(server: GrpcServer, poller: TrustPoller) -> None:
    await poller.first_response.wait()
    await server.set_ready()
