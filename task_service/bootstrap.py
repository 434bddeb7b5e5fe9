"""Where the service is put together: the only module that names the concrete classes of all rooms."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import structlog
from taskmanager.imports.v1 import (
    import_ingest_service_pb2,
    import_ingest_service_pb2_grpc,
    import_service_pb2,
    import_service_pb2_grpc,
)
from taskmanager.tasks.v1 import (
    history_service_pb2,
    history_service_pb2_grpc,
    task_service_pb2,
    task_service_pb2_grpc,
)
from uuid_utils.compat import uuid7

from chassis.database.pool import Pool, open_pool
from chassis.kernel import Unavailable
from chassis.lifecycle import background
from chassis.metrics import expose
from chassis.rpc.load_shed import Capacity
from chassis.rpc.server import GrpcServer, Registration
from chassis.rpc.trust import TrustPoller, TrustState
from chassis.tls import Certificates
from chassis.tokens import TokenVerifier
from task_service.clients.auth import auth_client
from task_service.clients.object_store import ObstoreUploads
from task_service.clients.people import RememberedPeople
from task_service.clients.wake_ups import CeleryWakeUps
from task_service.persistence.bulk import copy_text
from task_service.persistence.signals import PostgresSignals
from task_service.persistence.unit_of_work import SqlTasksReading, SqlTasksUnitOfWork
from task_service.settings import TasksSettings
from task_service.transport.history_servicer import HistoryServicer
from task_service.transport.import_servicer import ImportServicer
from task_service.transport.ingest_servicer import IngestServicer
from task_service.transport.status import STATUS
from task_service.transport.task_servicer import TaskServicer
from task_service.usecases.batches import BatchCreateTasks, BatchDeleteTasks, BatchUpdateTasks
from task_service.usecases.changes import KEPT_FOR, Changes
from task_service.usecases.dispatch import WakeWorkers
from task_service.usecases.history import ListEvents, ListTaskEvents, WatchEvents
from task_service.usecases.imports import (
    CancelImport,
    DownloadImportErrors,
    GetImport,
    ListImportErrors,
    ListImports,
    WatchImport,
)
from task_service.usecases.ingest import (
    ClaimNextImport,
    FinishIngest,
    GiveBack,
    IngestBatch,
    OpenIngest,
    PrepareBatch,
    ReadUpload,
)
from task_service.usecases.ports import ImportSignals, ObjectStore, People, Reading, UnitOfWork, WakeUps
from task_service.usecases.tasks import CreateTask, GetTask, GetTaskStats, ListTasks, UpdateTask
from task_service.usecases.trash import DeleteTask, EmptyTrash, ForgetAnswers, PurgeTask, UndeleteTask
from task_service.usecases.uploads import ExpireUploads, SweepUploads, UploadImport

DISPATCH_SECONDS = 1.0
SWEEP_SECONDS = 60.0

log = structlog.get_logger("bootstrap")


def _now() -> datetime:
    return datetime.now(UTC)


class Wiring:
    """The use cases, each with what it needs."""

    def __init__(
        self,
        *,
        settings: TasksSettings,
        pool: Pool,
        people: People,
        store: ObjectStore,
        signals: ImportSignals,
        wake_ups: WakeUps,
    ) -> None:
        self.something_queued = asyncio.Event()
        self.draining = asyncio.Event()
        self._begin: Callable[[], UnitOfWork] = lambda: SqlTasksUnitOfWork(pool)
        self._read: Callable[[], Reading] = lambda: SqlTasksReading(pool)
        self._settings = settings
        self._people = people
        self._store = store
        self._signals = signals
        self.wake_workers = WakeWorkers(begin=self._begin, wake_ups=wake_ups)
        self.sweep_uploads = SweepUploads(
            begin=self._begin,
            read=self._read,
            store=store,
            now=_now,
            older_than=timedelta(seconds=settings.upload_seconds),
        )
        self.expire_uploads = ExpireUploads(
            begin=self._begin,
            read=self._read,
            store=store,
            now=_now,
            keep=timedelta(seconds=settings.upload_keep_seconds),
        )

        self.empty_trash = EmptyTrash(begin=self._begin, now=_now, new_id=uuid7)
        self.forget_answers = ForgetAnswers(begin=self._begin, now=_now, kept_for=KEPT_FOR)

    def registrations(self) -> list[Registration]:
        """Every servicer of this service."""
        return [
            Registration(
                task_service_pb2.DESCRIPTOR.services_by_name["TaskService"],
                task_service_pb2_grpc.add_TaskServiceServicer_to_server,
                self._tasks(),
            ),
            Registration(
                history_service_pb2.DESCRIPTOR.services_by_name["HistoryService"],
                history_service_pb2_grpc.add_HistoryServiceServicer_to_server,
                HistoryServicer(
                    list_task_events=ListTaskEvents(read=self._read),
                    list_events=ListEvents(read=self._read),
                    watch_events=WatchEvents(read=self._read, pause=asyncio.sleep, draining=self.draining.is_set),
                ),
            ),
            Registration(
                import_service_pb2.DESCRIPTOR.services_by_name["ImportService"],
                import_service_pb2_grpc.add_ImportServiceServicer_to_server,
                self._imports(),
            ),
            Registration(
                import_ingest_service_pb2.DESCRIPTOR.services_by_name["ImportIngestService"],
                import_ingest_service_pb2_grpc.add_ImportIngestServiceServicer_to_server,
                self._ingest(),
            ),
        ]

    def _tasks(self) -> TaskServicer:
        changes = Changes(begin=self._begin, read=self._read, now=_now, new_id=uuid7)
        create_task = CreateTask(changes=changes, people=self._people)
        update_task = UpdateTask(changes=changes, people=self._people)
        delete_task = DeleteTask(changes=changes, kept_for=timedelta(days=self._settings.trash_days))
        return TaskServicer(
            create_task=create_task,
            get_task=GetTask(read=self._read),
            list_tasks=ListTasks(read=self._read, now=_now),
            update_task=update_task,
            delete_task=delete_task,
            undelete_task=UndeleteTask(changes=changes),
            purge_task=PurgeTask(changes=changes),
            get_task_stats=GetTaskStats(read=self._read, now=_now),
            batch_create_tasks=BatchCreateTasks(changes=changes, create_task=create_task),
            batch_update_tasks=BatchUpdateTasks(changes=changes, update_task=update_task),
            batch_delete_tasks=BatchDeleteTasks(changes=changes, delete_task=delete_task),
        )

    def _imports(self) -> ImportServicer:
        get_import = GetImport(read=self._read)
        return ImportServicer(
            upload_import=UploadImport(
                begin=self._begin,
                read=self._read,
                store=self._store,
                now=_now,
                new_id=uuid7,
                most_bytes=self._settings.upload_bytes,
                queued=self.something_queued.set,
            ),
            get_import=get_import,
            list_imports=ListImports(read=self._read),
            watch_import=WatchImport(get_import=get_import, signals=self._signals, draining=self.draining.is_set),
            list_import_errors=ListImportErrors(read=self._read, get_import=get_import),
            download_import_errors=DownloadImportErrors(read=self._read, get_import=get_import),
            cancel_import=CancelImport(begin=self._begin, get_import=get_import),
        )

    def _ingest(self) -> IngestServicer:
        lease = self._settings.lease_seconds
        prepare = PrepareBatch(read=self._read, people=self._people, bulk_rows=copy_text)
        return IngestServicer(
            claim_next_import=ClaimNextImport(
                begin=self._begin, lease_seconds=lease, at_once=self._settings.imports_at_once
            ),
            read_upload=ReadUpload(begin=self._begin, store=self._store, lease_seconds=lease),
            open_ingest=OpenIngest(begin=self._begin, lease_seconds=lease),
            prepare_batch=prepare,
            ingest_batch=IngestBatch(begin=self._begin, prepare=prepare, lease_seconds=lease),
            finish_ingest=FinishIngest(begin=self._begin),
            give_back=GiveBack(begin=self._begin, queued=self.something_queued.set),
            draining=self.draining,
        )


@asynccontextmanager
async def serving(settings: TasksSettings) -> AsyncIterator[GrpcServer]:
    """The whole service, running. It says that it is ready once it knows whose tokens to trust."""
    expose(settings.metrics_listen)
    database_url = settings.database_url.get_secret_value()
    certificates = Certificates.of(settings.tls)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            open_pool(database_url, name="task_service", size=settings.database_pool_size)
        )
        auth = await stack.enter_async_context(
            auth_client(settings.auth_target, settings.auth_credential.get_secret_value(), certificates=certificates)
        )
        wake_ups = CeleryWakeUps(settings.redis_url.get_secret_value())
        stack.callback(wake_ups.close)
        signals = PostgresSignals(database_url)
        trust = TrustState()
        poller = TrustPoller(state=trust, fetch=auth.trust_state)
        wiring = Wiring(
            settings=settings,
            pool=pool,
            people=RememberedPeople(auth),
            store=ObstoreUploads(settings.store_url),
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
            capacity=Capacity(calls=settings.calls_at_once, streams=settings.streams_at_once),
        )
        await server.start()
        await stack.enter_async_context(
            background(
                poller.run(),
                signals.run(),
                _repeat(wiring.wake_workers, every=DISPATCH_SECONDS, or_when=wiring.something_queued),
                _repeat(wiring.sweep_uploads, every=SWEEP_SECONDS),
                _repeat(wiring.empty_trash, every=SWEEP_SECONDS),
                _repeat(wiring.forget_answers, every=SWEEP_SECONDS),
                _repeat(wiring.expire_uploads, every=SWEEP_SECONDS),
                _ready(server, poller),
            )
        )
        stack.push_async_callback(server.stop)
        stack.callback(wiring.draining.set)
        yield server


async def _ready(server: GrpcServer, poller: TrustPoller) -> None:
    await poller.first_answer.wait()
    await server.ready()


async def _repeat(work: Callable[[], Awaitable[int]], *, every: float, or_when: asyncio.Event | None = None) -> None:
    """Does the work again and again; a database that is away is asked again at the next turn."""
    event = or_when or asyncio.Event()
    while True:
        event.clear()
        try:
            await work()
        except Unavailable:
            log.warning("the database is away", work=type(work).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), every)
