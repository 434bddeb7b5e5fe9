"""Resources that a process of the service opens: its connection pool and its clients of other servers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

from chassis.database.pool import Pool, open_pool
from chassis.tls.reloader import CertificateReloader
from task_service.clients.auth import AuthClient, auth_client
from task_service.imports.clients.object_store import ObstoreObjectStore
from task_service.imports.clients.worker_notifier import CeleryWorkerNotifier
from task_service.imports.persistence.notifications import PostgresNotifications
from task_service.settings import TasksSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Open resources of a process: one for each server that it needs, and the notifications of the database."""

    pool: Pool
    notifications: PostgresNotifications
    auth: AuthClient
    notifier: CeleryWorkerNotifier
    store: ObstoreObjectStore


@asynccontextmanager
async def open_resources(settings: TasksSettings, certificates: CertificateReloader | None) -> AsyncIterator[Resources]:
    """Open the resources for the context."""
    async with (
        open_pool(
            settings.database_url.get_secret_value(),
            name="task_service",
            size=settings.database_pool_size,
            prepared_statements=settings.database_prepared_statements,
        ) as pool,
        auth_client(
            settings.auth_target, settings.auth_credential.get_secret_value(), certificates=certificates
        ) as auth,
    ):
        with closing(CeleryWorkerNotifier(settings.redis_url.get_secret_value())) as notifier:
            yield Resources(
                pool=pool,
                notifications=PostgresNotifications(settings.notifications_url),
                auth=auth,
                notifier=notifier,
                store=ObstoreObjectStore(settings.store_url),
            )
