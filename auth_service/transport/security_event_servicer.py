"""Servicer of taskmanager.auth.v1.SecurityEventService."""

from taskmanager.auth.v1 import security_event_service_pb2 as pb
from taskmanager.auth.v1 import security_event_service_pb2_grpc

from auth_service.transport.translate_administration import security_events_to_proto
from auth_service.usecases.security_events import ListSecurityEvents
from chassis.kernel.pagination import PageRequest
from chassis.rpc.interceptor import Context
from chassis.rpc.proto_fields import optional_id


class SecurityEventServicer(security_event_service_pb2_grpc.SecurityEventServiceServicer):
    def __init__(self, list_security_events: ListSecurityEvents) -> None:
        self._list_security_events = list_security_events

    async def ListSecurityEvents(
        self, request: pb.ListSecurityEventsRequest, context: Context
    ) -> pb.ListSecurityEventsResponse:
        subject_id = optional_id(request.subject_id, field="subject_id")
        page = PageRequest.parse(request.page_size, request.page_token, query=f"security events of {subject_id}")
        return security_events_to_proto(await self._list_security_events(subject_id, page))
