"""Servicer of taskmanager.trust.v1.TrustService."""

from taskmanager.trust.v1 import trust_service_pb2, trust_service_pb2_grpc

from auth_service.transport.translate import trust_state_to_proto
from auth_service.usecases.use_cases import UseCases
from chassis.rpc.interceptor import Context


class TrustServicer(trust_service_pb2_grpc.TrustServiceServicer):
    def __init__(self, use_cases: UseCases) -> None:
        self._use_cases = use_cases

    async def GetTrustState(
        self, request: trust_service_pb2.GetTrustStateRequest, context: Context
    ) -> trust_service_pb2.TrustState:
        state = await self._use_cases.get_trust_state(request.cursor, page_size=request.page_size)
        return trust_state_to_proto(state)
