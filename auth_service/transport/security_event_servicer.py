"""taskmanager.auth.v1.SecurityEventService."""

from typing import Any

from grpc.aio import ServicerContext
from taskmanager.auth.v1 import security_event_service_pb2 as pb
from taskmanager.auth.v1 import security_event_service_pb2_grpc

from auth_service.transport.translate_administration import security_events_to_proto
from auth_service.usecases.events import ListSecurityEvents
from chassis.kernel.pagination import PageRequest
from chassis.kernel.ids import parse_id


class SecurityEventServicer(security_event_service_pb2_grpc.SecurityEventServiceServicer):
    """What happened."""

    def __init__(self, *, list_security_events: ListSecurityEvents) -> None:
        self._list_security_events = list_security_events

    async def ListSecurityEvents(
        self, request: pb.ListSecurityEventsRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListSecurityEventsResponse:
        subject = parse_id(request.subject_id, field="subject_id") if request.subject_id else None
        page = PageRequest.parse(request.page_size, request.page_token, query=f"security events of {subject}")
        return security_events_to_proto(await self._list_security_events(subject, page))
