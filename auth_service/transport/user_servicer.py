"""taskmanager.auth.v1.UserService."""

from typing import Any

from grpc.aio import ServicerContext
from taskmanager.auth.v1 import auth_service_pb2, user_pb2, user_service_pb2, user_service_pb2_grpc

from auth_service.transport.translate import (
    login_to_proto,
    names_to_proto,
    reset_code_to_proto,
    role_from_proto,
    sessions_to_proto,
    user_ids_to_proto,
    user_to_proto,
    usernames_to_proto,
    users_to_proto,
)
from auth_service.usecases.accounts import GetCurrentUser, ResolveUser
from auth_service.usecases.own_account import DeleteCurrentUser, UpdateCurrentUser
from auth_service.usecases.passwords import ChangePassword
from auth_service.usecases.sessions import ListSessions, RevokeSession
from auth_service.usecases.users import (
    GetUser,
    GetUserIds,
    GetUserNames,
    IssueResetCode,
    ListUsers,
    LookUpUsers,
    UpdateUser,
)
from chassis.kernel.pagination import PageRequest
from chassis.kernel.ids import parse_id
from chassis.rpc.request_context import current_caller

Context = ServicerContext[Any, Any]


class UserServicer(user_service_pb2_grpc.UserServiceServicer):
    """Accounts after registration."""

    def __init__(
        self,
        *,
        get_current_user: GetCurrentUser,
        resolve_user: ResolveUser,
        change_password: ChangePassword,
        list_sessions: ListSessions,
        revoke_session: RevokeSession,
        update_current_user: UpdateCurrentUser,
        delete_current_user: DeleteCurrentUser,
        list_users: ListUsers,
        get_user: GetUser,
        get_user_names: GetUserNames,
        get_user_ids: GetUserIds,
        look_up_users: LookUpUsers,
        update_user: UpdateUser,
        issue_reset_code: IssueResetCode,
    ) -> None:
        self._get_current_user = get_current_user
        self._resolve_user = resolve_user
        self._change_password = change_password
        self._list_sessions = list_sessions
        self._revoke_session = revoke_session
        self._issue_reset_code = issue_reset_code
        self._update_user = update_user
        self._look_up_users = look_up_users
        self._get_user = get_user
        self._get_user_names = get_user_names
        self._get_user_ids = get_user_ids
        self._list_users = list_users
        self._delete_current_user = delete_current_user
        self._update_current_user = update_current_user

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
        page = PageRequest.parse(request.page_size, request.page_token, query=f"sessions of {caller.id}")
        return sessions_to_proto(await self._list_sessions(caller, page), caller)

    async def RevokeSession(
        self, request: user_service_pb2.RevokeSessionRequest, context: Context
    ) -> user_service_pb2.RevokeSessionResponse:
        await self._revoke_session(current_caller(), parse_id(request.id, field="id"))
        return user_service_pb2.RevokeSessionResponse()

    async def ResolveUser(self, request: user_service_pb2.ResolveUserRequest, context: Context) -> user_pb2.User:
        user_id = parse_id(request.id, field="id") if request.id else None
        return user_to_proto(await self._resolve_user(user_id=user_id, username=request.username))

    async def UpdateCurrentUser(
        self, request: user_service_pb2.UpdateCurrentUserRequest, context: Context
    ) -> user_pb2.User:
        user = await self._update_current_user(
            current_caller(),
            username=request.username if request.HasField("username") else None,
            email=request.email if request.HasField("email") else None,
            password=request.current_password,
        )
        return user_to_proto(user)

    async def DeleteCurrentUser(
        self, request: user_service_pb2.DeleteCurrentUserRequest, context: Context
    ) -> user_service_pb2.DeleteCurrentUserResponse:
        await self._delete_current_user(current_caller())
        return user_service_pb2.DeleteCurrentUserResponse()

    async def ListUsers(
        self, request: user_service_pb2.ListUsersRequest, context: Context
    ) -> user_service_pb2.ListUsersResponse:
        page = PageRequest.parse(request.page_size, request.page_token, query=f"users with {request.q}")
        return users_to_proto(await self._list_users(request.q, page))

    async def GetUser(self, request: user_service_pb2.GetUserRequest, context: Context) -> user_pb2.User:
        return user_to_proto(await self._get_user(parse_id(request.id, field="id")))

    async def BatchGetUserNames(
        self, request: user_service_pb2.BatchGetUserNamesRequest, context: Context
    ) -> user_service_pb2.BatchGetUserNamesResponse:
        user_ids = [parse_id(user_id, field="ids") for user_id in request.ids]
        return usernames_to_proto(await self._get_user_names(user_ids))

    async def BatchGetUserIds(
        self, request: user_service_pb2.BatchGetUserIdsRequest, context: Context
    ) -> user_service_pb2.BatchGetUserIdsResponse:
        return user_ids_to_proto(await self._get_user_ids(request.usernames))

    async def LookupUsers(
        self, request: user_service_pb2.LookupUsersRequest, context: Context
    ) -> user_service_pb2.LookupUsersResponse:
        return names_to_proto(await self._look_up_users(request.q))

    async def UpdateUser(self, request: user_service_pb2.UpdateUserRequest, context: Context) -> user_pb2.User:
        user = await self._update_user(
            current_caller(),
            parse_id(request.id, field="id"),
            role=role_from_proto(request.role) if request.HasField("role") else None,
            disabled=request.disabled if request.HasField("disabled") else None,
        )
        return user_to_proto(user)

    async def ResetUserPassword(
        self, request: user_service_pb2.ResetUserPasswordRequest, context: Context
    ) -> user_service_pb2.ResetUserPasswordResponse:
        return reset_code_to_proto(await self._issue_reset_code(current_caller(), parse_id(request.id, field="id")))
