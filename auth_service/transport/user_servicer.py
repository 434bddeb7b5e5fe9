"""taskmanager.auth.v1.UserService."""

from typing import Any

from grpc.aio import ServicerContext
from taskmanager.auth.v1 import user_pb2, user_service_pb2, user_service_pb2_grpc

from auth_service.transport.translate import user_to_proto
from auth_service.usecases.accounts import GetCurrentUser, GetUser
from chassis.kernel import parse_id
from chassis.rpc.request_context import current_caller


class UserServicer(user_service_pb2_grpc.UserServiceServicer):
    """Accounts after registration."""

    def __init__(self, *, get_current_user: GetCurrentUser, get_user: GetUser) -> None:
        self._get_current_user = get_current_user
        self._get_user = get_user

    async def GetCurrentUser(
        self, request: user_service_pb2.GetCurrentUserRequest, context: ServicerContext[Any, Any]
    ) -> user_pb2.User:
        return user_to_proto(await self._get_current_user(current_caller()))

    async def GetUser(
        self, request: user_service_pb2.GetUserRequest, context: ServicerContext[Any, Any]
    ) -> user_pb2.User:
        user_id = parse_id(request.id, field="id") if request.id else None
        return user_to_proto(await self._get_user(user_id=user_id, username=request.username))
