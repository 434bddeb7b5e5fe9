"""HistoryService on the wire."""

from collections.abc import AsyncIterator

from taskmanager.tasks.v1 import history_service_pb2, history_service_pb2_grpc

from chassis.kernel.ids import parse_id
from chassis.kernel.pagination import PageRequest
from chassis.rpc.interceptor import Context
from chassis.rpc.pagination import fit_to_message_size
from chassis.rpc.request_context import current_caller
from task_service.history.domain.event_log import EventQuery
from task_service.history.usecases.events import ListEvents, ListTaskEvents, WatchEvents
from task_service.history.usecases.hash_chain import GetAuditHead
from task_service.tasks.transport.queries import event_query_from_proto, place_from_cursor
from task_service.tasks.transport.translate import event_to_proto, head_to_proto, optional_id


class HistoryServicer(history_service_pb2_grpc.HistoryServiceServicer):
    """History."""

    def __init__(
        self,
        *,
        list_task_events: ListTaskEvents,
        list_events: ListEvents,
        watch_events: WatchEvents,
        get_audit_head: GetAuditHead,
    ) -> None:
        self._list_task_events = list_task_events
        self._list_events = list_events
        self._watch_events = watch_events
        self._get_audit_head = get_audit_head

    async def ListTaskEvents(
        self, request: history_service_pb2.ListTaskEventsRequest, context: Context
    ) -> history_service_pb2.ListTaskEventsResponse:
        caller = current_caller()
        task_id = parse_id(request.task_id, field="task_id")
        wanted = PageRequest.parse(request.page_size, request.page_token, query=f"events {caller.id} {task_id}")
        page = await self._list_task_events(caller, task_id, wanted)
        events, next_token = fit_to_message_size(page, event_to_proto)
        return history_service_pb2.ListTaskEventsResponse(events=events, next_page_token=next_token)

    async def ListEvents(
        self, request: history_service_pb2.ListEventsRequest, context: Context
    ) -> history_service_pb2.ListEventsResponse:
        query = event_query_from_proto(request)
        bound_to = f"log {current_caller().id} {query}"
        page = await self._list_events(query, PageRequest.parse(request.page_size, request.page_token, query=bound_to))
        events, next_token = fit_to_message_size(page, lambda logged: event_to_proto(logged.event))
        return history_service_pb2.ListEventsResponse(events=events, next_page_token=next_token)

    async def WatchEvents(
        self, request: history_service_pb2.WatchEventsRequest, context: Context
    ) -> AsyncIterator[history_service_pb2.WatchEventsResponse]:
        query = EventQuery(task_id=optional_id(request.task_id, field="task_id"))
        async for logged, place in self._watch_events(current_caller(), query, place_from_cursor(request.cursor)):
            event = event_to_proto(logged.event) if logged else None
            yield history_service_pb2.WatchEventsResponse(event=event, cursor=place.to_cursor())

    async def GetAuditHead(
        self, request: history_service_pb2.GetAuditHeadRequest, context: Context
    ) -> history_service_pb2.AuditHead:
        return head_to_proto(await self._get_audit_head())
