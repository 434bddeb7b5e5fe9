"""Servicer of taskmanager.auth.v1.UserService."""

from taskmanager.auth.v1 import auth_service_pb2, user_pb2, user_service_pb2_grpc
from taskmanager.auth.v1 import user_service_pb2 as pb

from auth_service.transport.translate import (
    lookup_results_to_proto,
    reset_code_to_proto,
    role_from_proto,
    session_tokens_to_proto,
    sessions_to_proto,
    user_ids_to_proto,
    user_to_proto,
    usernames_to_proto,
    users_to_proto,
)
from auth_service.usecases.use_cases import UserUseCases
from chassis.kernel.ids import parse_id
from chassis.kernel.pagination import PageRequest
from chassis.rpc.interceptor import Context
from chassis.rpc.proto_fields import optional_id
from chassis.rpc.request_context import current_caller


class UserServicer(user_service_pb2_grpc.UserServiceServicer):
    def __init__(self, use_cases: UserUseCases) -> None:
        self._use_cases = use_cases

    async def GetCurrentUser(self, request: pb.GetCurrentUserRequest, context: Context) -> user_pb2.User:
        return user_to_proto(await self._use_cases.get_current_user(current_caller()))

    async def UpdateCurrentUser(self, request: pb.UpdateCurrentUserRequest, context: Context) -> user_pb2.User:
        user = await self._use_cases.update_current_user(
            current_caller(),
            username=request.username if request.HasField("username") else None,
            email=request.email if request.HasField("email") else None,
            password=request.current_password,
        )
        return user_to_proto(user)

    async def DeleteCurrentUser(
        self, request: pb.DeleteCurrentUserRequest, context: Context
    ) -> pb.DeleteCurrentUserResponse:
        await self._use_cases.delete_current_user(current_caller())
        return pb.DeleteCurrentUserResponse()

    async def ChangePassword(
        self, request: pb.ChangePasswordRequest, context: Context
    ) -> auth_service_pb2.LoginResponse:
        tokens = await self._use_cases.change_password(
            current_caller(), request.current_password, request.new_password, revoke_tokens=request.revoke_tokens
        )
        return session_tokens_to_proto(tokens)

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Context) -> pb.ListSessionsResponse:
        caller = current_caller()
        page = PageRequest.parse(request.page_size, request.page_token, query=f"sessions of {caller.id}")
        return sessions_to_proto(await self._use_cases.list_sessions(caller, page), caller)

    async def RevokeSession(self, request: pb.RevokeSessionRequest, context: Context) -> pb.RevokeSessionResponse:
        await self._use_cases.revoke_session(current_caller(), parse_id(request.id, field="id"))
        return pb.RevokeSessionResponse()

    async def ListUsers(self, request: pb.ListUsersRequest, context: Context) -> pb.ListUsersResponse:
        page = PageRequest.parse(request.page_size, request.page_token, query=f"users with {request.q}")
        return users_to_proto(await self._use_cases.list_users(request.q, page))

    async def GetUser(self, request: pb.GetUserRequest, context: Context) -> user_pb2.User:
        return user_to_proto(await self._use_cases.get_user(parse_id(request.id, field="id")))

    async def ResolveUser(self, request: pb.ResolveUserRequest, context: Context) -> user_pb2.User:
        user_id = optional_id(request.id, field="id")
        return user_to_proto(await self._use_cases.resolve_user(user_id=user_id, username=request.username))

    async def LookupUsers(self, request: pb.LookupUsersRequest, context: Context) -> pb.LookupUsersResponse:
        return lookup_results_to_proto(await self._use_cases.lookup_users(request.q))

    async def BatchGetUserNames(
        self, request: pb.BatchGetUserNamesRequest, context: Context
    ) -> pb.BatchGetUserNamesResponse:
        user_ids = [parse_id(user_id, field="ids") for user_id in request.ids]
        return usernames_to_proto(await self._use_cases.batch_get_user_names(user_ids))

    async def BatchGetUserIds(self, request: pb.BatchGetUserIdsRequest, context: Context) -> pb.BatchGetUserIdsResponse:
        return user_ids_to_proto(await self._use_cases.batch_get_user_ids(request.usernames, request.emails))

    async def UpdateUser(self, request: pb.UpdateUserRequest, context: Context) -> user_pb2.User:
        user = await self._use_cases.update_user(
            current_caller(),
            parse_id(request.id, field="id"),
            role=role_from_proto(request.role) if request.HasField("role") else None,
            disabled=request.disabled if request.HasField("disabled") else None,
        )
        return user_to_proto(user)

    async def ResetUserPassword(
        self, request: pb.ResetUserPasswordRequest, context: Context
    ) -> pb.ResetUserPasswordResponse:
        user_id = parse_id(request.id, field="id")
        return reset_code_to_proto(await self._use_cases.issue_reset_code(current_caller(), user_id))
