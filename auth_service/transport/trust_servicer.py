"""taskmanager.trust.v1.TrustService."""

from typing import Any

from grpc.aio import ServicerContext
from taskmanager.trust.v1 import trust_service_pb2, trust_service_pb2_grpc

from auth_service.transport.translate import trust_state_to_proto
from auth_service.usecases.trust import GetTrustState


class TrustServicer(trust_service_pb2_grpc.TrustServiceServicer):
    """What verifiers must know."""

    def __init__(self, *, get_trust_state: GetTrustState) -> None:
        self._get_trust_state = get_trust_state

    async def GetTrustState(
        self, request: trust_service_pb2.GetTrustStateRequest, context: ServicerContext[Any, Any]
    ) -> trust_service_pb2.TrustState:
        return trust_state_to_proto(await self._get_trust_state(request.cursor))
