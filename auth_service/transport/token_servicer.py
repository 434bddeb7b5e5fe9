"""Servicer of taskmanager.auth.v1.TokenService."""

from taskmanager.auth.v1 import token_service_pb2 as pb
from taskmanager.auth.v1 import token_service_pb2_grpc

from auth_service.transport.translate_personal_tokens import (
    created_token_to_proto,
    exchanged_token_to_proto,
    token_request_from_proto,
    tokens_to_proto,
)
from auth_service.usecases.use_cases import TokenUseCases
from chassis.kernel.ids import parse_id
from chassis.kernel.pagination import PageRequest
from chassis.rpc.interceptor import Context
from chassis.rpc.request_context import current_caller


class TokenServicer(token_service_pb2_grpc.TokenServiceServicer):
    def __init__(self, use_cases: TokenUseCases) -> None:
        self._use_cases = use_cases

    async def CreateToken(self, request: pb.CreateTokenRequest, context: Context) -> pb.CreatedToken:
        created = await self._use_cases.create_personal_token(current_caller(), token_request_from_proto(request))
        return created_token_to_proto(created)

    async def ListTokens(self, request: pb.ListTokensRequest, context: Context) -> pb.ListTokensResponse:
        caller = current_caller()
        page = PageRequest.parse(request.page_size, request.page_token, query=f"tokens of {caller.id}")
        return tokens_to_proto(await self._use_cases.list_personal_tokens(caller, page))

    async def RevokeToken(self, request: pb.RevokeTokenRequest, context: Context) -> pb.RevokeTokenResponse:
        await self._use_cases.revoke_personal_token(current_caller(), parse_id(request.id, field="id"))
        return pb.RevokeTokenResponse()

    async def ListUserTokens(self, request: pb.ListUserTokensRequest, context: Context) -> pb.ListTokensResponse:
        user_id = parse_id(request.user_id, field="user_id")
        page = PageRequest.parse(request.page_size, request.page_token, query=f"tokens of {user_id}")
        return tokens_to_proto(await self._use_cases.list_personal_tokens_of_user(user_id, page))

    async def RevokeUserToken(self, request: pb.RevokeUserTokenRequest, context: Context) -> pb.RevokeTokenResponse:
        user_id, token_id = parse_id(request.user_id, field="user_id"), parse_id(request.id, field="id")
        await self._use_cases.revoke_personal_token_of_user(current_caller(), user_id, token_id)
        return pb.RevokeTokenResponse()

    async def ExchangeToken(self, request: pb.ExchangeTokenRequest, context: Context) -> pb.ExchangeTokenResponse:
        return exchanged_token_to_proto(await self._use_cases.exchange_personal_token(request.token))
