"""Wiring of the use cases to resources: the contexts, and what they share."""

import asyncio
from dataclasses import dataclass
from functools import partial

from chassis.database.switches import Switches
from task_service.clients.fair_user_lookup import FairUserLookup
from task_service.clients.user_directory import CachedUserDirectory
from task_service.connections import caller_key, share_connections
from task_service.history.bootstrap import history_use_cases
from task_service.history.usecases.use_cases import HistoryUseCases
from task_service.imports.bootstrap import WakeEvents, imports_use_cases
from task_service.imports.usecases.use_cases import ImportsUseCases
from task_service.resources import Resources
from task_service.settings import TasksSettings
from task_service.switches import IMPORTS_PAUSED
from task_service.tasks.bootstrap import tasks_use_cases
from task_service.tasks.usecases.use_cases import TasksUseCases


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """Use cases of every context."""

    tasks: TasksUseCases
    history: HistoryUseCases
    imports: ImportsUseCases


def create_use_cases(
    settings: TasksSettings, resources: Resources, *, switches: Switches, wake: WakeEvents, draining: asyncio.Event
) -> UseCases:
    """Build the use cases on these resources."""
    connections = share_connections(resources.pool, size=settings.database_pool_size, switches=switches)
    users = CachedUserDirectory(FairUserLookup(resources.auth, caller_key=caller_key))
    tasks = tasks_use_cases(settings, connections, users)
    return UseCases(
        tasks=tasks,
        history=history_use_cases(connections, tasks.list_task_events, draining),
        imports=imports_use_cases(
            settings,
            connections,
            users=users,
            store=resources.store,
            notifications=resources.notifications,
            notifier=resources.notifier,
            wake=wake,
            is_draining=draining.is_set,
            is_paused=partial(switches.is_on, IMPORTS_PAUSED),
        ),
    )
