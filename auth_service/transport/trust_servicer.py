"""Servicer of taskmanager.trust.v1.TrustService."""

from taskmanager.trust.v1 import trust_service_pb2, trust_service_pb2_grpc

from auth_service.transport.translate import trust_state_to_proto
from auth_service.usecases.trust import GetTrustState
from chassis.rpc.interceptor import Context


class TrustServicer(trust_service_pb2_grpc.TrustServiceServicer):
    def __init__(self, get_trust_state: GetTrustState) -> None:
        self._get_trust_state = get_trust_state

    async def GetTrustState(
        self, request: trust_service_pb2.GetTrustStateRequest, context: Context
    ) -> trust_service_pb2.TrustState:
        state = await self._get_trust_state(request.cursor, page_size=request.page_size)
        return trust_state_to_proto(state)
