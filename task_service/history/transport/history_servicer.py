"""gRPC servicer of HistoryService."""

from collections.abc import AsyncIterator

from taskmanager.tasks.v1 import history_service_pb2, history_service_pb2_grpc

from chassis.kernel.ids import parse_id
from chassis.kernel.pagination import PageRequest
from chassis.rpc.interceptor import Context
from chassis.rpc.proto_fields import optional_id
from chassis.rpc.request_context import current_caller
from task_service.history.domain.event_log import EventQuery
from task_service.history.transport.translate import (
    event_page_to_proto,
    event_query_from_proto,
    head_to_proto,
    list_start_from_text,
    logged_event_to_proto,
    stream_start_from_text,
    task_events_to_proto,
)
from task_service.history.usecases.use_cases import HistoryUseCases


class HistoryServicer(history_service_pb2_grpc.HistoryServiceServicer):
    """Servicer of HistoryService."""

    def __init__(self, use_cases: HistoryUseCases) -> None:
        self._use_cases = use_cases

    async def ListTaskEvents(
        self, request: history_service_pb2.ListTaskEventsRequest, context: Context
    ) -> history_service_pb2.ListTaskEventsResponse:
        caller = current_caller()
        task_id = parse_id(request.task_id, field="task_id")
        fingerprint = f"events {caller.id} {task_id}"
        page_request = PageRequest.parse(request.page_size, request.page_token, query=fingerprint)
        return task_events_to_proto(await self._use_cases.list_task_events(caller, task_id, page_request))

    async def ListEvents(
        self, request: history_service_pb2.ListEventsRequest, context: Context
    ) -> history_service_pb2.ListEventsResponse:
        caller, query = current_caller(), event_query_from_proto(request)
        start = list_start_from_text(request.cursor)
        fingerprint = f"log {caller.id} {query} {request.cursor}"
        page_request = PageRequest.parse(request.page_size, request.page_token, query=fingerprint)
        return event_page_to_proto(await self._use_cases.list_events(caller, query, page_request, start))

    async def WatchEvents(
        self, request: history_service_pb2.WatchEventsRequest, context: Context
    ) -> AsyncIterator[history_service_pb2.WatchEventsResponse]:
        query = EventQuery(task_id=optional_id(request.task_id, field="task_id"))
        start = stream_start_from_text(request.cursor)
        async for logged, cursor in self._use_cases.watch_events(current_caller(), query, start):
            event = logged_event_to_proto(logged) if logged else None
            yield history_service_pb2.WatchEventsResponse(event=event, cursor=cursor.to_text())

    async def GetAuditHead(
        self, request: history_service_pb2.GetAuditHeadRequest, context: Context
    ) -> history_service_pb2.AuditHead:
        return head_to_proto(await self._use_cases.get_audit_head())
