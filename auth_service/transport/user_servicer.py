"""taskmanager.auth.v1.UserService."""

from typing import Any

from grpc.aio import ServicerContext
from taskmanager.auth.v1 import user_pb2, user_service_pb2, user_service_pb2_grpc

from auth_service.transport.translate import user_to_proto
from auth_service.usecases.accounts import GetCurrentUser
from chassis.rpc.request_context import current_caller


class UserServicer(user_service_pb2_grpc.UserServiceServicer):
    """Accounts after registration."""

    def __init__(self, *, get_current_user: GetCurrentUser) -> None:
        self._get_current_user = get_current_user

    async def GetCurrentUser(
        self, request: user_service_pb2.GetCurrentUserRequest, context: ServicerContext[Any, Any]
    ) -> user_pb2.User:
        return user_to_proto(await self._get_current_user(current_caller()))
