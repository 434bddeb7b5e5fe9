"""Wiring of the use cases of history. bootstrap.py of the service calls it."""

import asyncio
from functools import partial

from chassis.limits.caller_turns import CallerTurns
from task_service.connections import CallerConnections
from task_service.history.persistence.unit_of_work import SqlHistoryReadSession, SqlHistoryUnitOfWork
from task_service.history.usecases.events import ListEvents, WatchEvents
from task_service.history.usecases.hash_chain import AppendBlocks, GetAuditHead
from task_service.history.usecases.use_cases import HistoryUseCases, ListTaskEvents


def history_use_cases(
    connections: CallerConnections, list_task_events: ListTaskEvents, draining: asyncio.Event
) -> HistoryUseCases:
    """Build the use cases of history."""
    begin = partial(SqlHistoryUnitOfWork, connections.writes)
    read = partial(SqlHistoryReadSession, connections.reads)
    return HistoryUseCases(
        list_task_events=list_task_events,
        list_events=ListEvents(read=read),
        watch_events=WatchEvents(
            read=read, sleep=asyncio.sleep, take_turn=CallerTurns().next, is_draining=draining.is_set
        ),
        get_audit_head=GetAuditHead(read=read),
        append_blocks=AppendBlocks(begin=begin, sleep=asyncio.sleep),
    )
