"""taskmanager.auth.v1.UserService."""

from typing import Any

from grpc.aio import ServicerContext
from taskmanager.auth.v1 import auth_service_pb2, user_pb2, user_service_pb2, user_service_pb2_grpc

from auth_service.transport.translate import login_to_proto, sessions_to_proto, user_to_proto
from auth_service.usecases.accounts import GetCurrentUser, GetUser
from auth_service.usecases.passwords import ChangePassword
from auth_service.usecases.sessions import ListSessions, RevokeSession
from chassis.kernel import PageRequest, parse_id
from chassis.rpc.request_context import current_caller

Context = ServicerContext[Any, Any]


class UserServicer(user_service_pb2_grpc.UserServiceServicer):
    """Accounts after registration."""

    def __init__(
        self,
        *,
        get_current_user: GetCurrentUser,
        get_user: GetUser,
        change_password: ChangePassword,
        list_sessions: ListSessions,
        revoke_session: RevokeSession,
    ) -> None:
        self._get_current_user = get_current_user
        self._get_user = get_user
        self._change_password = change_password
        self._list_sessions = list_sessions
        self._revoke_session = revoke_session

    async def GetCurrentUser(self, request: user_service_pb2.GetCurrentUserRequest, context: Context) -> user_pb2.User:
        return user_to_proto(await self._get_current_user(current_caller()))

    async def ChangePassword(
        self, request: user_service_pb2.ChangePasswordRequest, context: Context
    ) -> auth_service_pb2.LoginResponse:
        caller = current_caller()
        return login_to_proto(await self._change_password(caller, request.current_password, request.new_password))

    async def ListSessions(
        self, request: user_service_pb2.ListSessionsRequest, context: Context
    ) -> user_service_pb2.ListSessionsResponse:
        caller = current_caller()
        page = PageRequest.read(request.page_size, request.page_token, bound_to=f"sessions of {caller.id}")
        return sessions_to_proto(await self._list_sessions(caller, page), caller)

    async def RevokeSession(
        self, request: user_service_pb2.RevokeSessionRequest, context: Context
    ) -> user_service_pb2.RevokeSessionResponse:
        await self._revoke_session(current_caller(), parse_id(request.id, field="id"))
        return user_service_pb2.RevokeSessionResponse()

    async def GetUser(self, request: user_service_pb2.GetUserRequest, context: Context) -> user_pb2.User:
        user_id = parse_id(request.id, field="id") if request.id else None
        return user_to_proto(await self._get_user(user_id=user_id, username=request.username))
