"""Translation between protobuf messages and domain objects, for users, sessions, tokens and the trust state. Pure."""

import base64
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from taskmanager.auth.v1 import auth_service_pb2, user_pb2, user_service_pb2
from taskmanager.trust.v1 import trust_service_pb2

from auth_service.domain.accounts import Registration, User
from auth_service.domain.roles import Role
from auth_service.domain.sessions import Session
from auth_service.domain.signing_keys import SigningKey
from auth_service.domain.trust import EpochRaised, Revocation, SessionRevoked, TrustState
from auth_service.usecases.password_reset import IssuedResetCode
from auth_service.usecases.service_tokens import ServiceToken
from auth_service.usecases.session_issuer import SessionTokens
from auth_service.usecases.users import UserIds
from chassis.kernel.identity import Caller
from chassis.kernel.pagination import Page
from chassis.rpc.pagination import fit_to_message_size
from chassis.rpc.proto_fields import enum_numbers, timestamp_to_proto
from chassis.tokens import ALGORITHM

TOKEN_TYPE = "Bearer"  # noqa: S105 - the scheme of RFC 6750, not a secret

_ROLE_NUMBERS = enum_numbers(user_pb2.Role, Role)
_ROLE_NAMES = {user_pb2.ROLE_UNSPECIFIED: "", **{number: name for name, number in _ROLE_NUMBERS.items()}}


def registration_from_proto(request: auth_service_pb2.RegisterRequest) -> Registration:
    return Registration(
        username=request.username,
        email=request.email,
        password=request.password,
        role=role_from_proto(request.role),
    )


def role_from_proto(number: int) -> str:
    """Return the name of a role: empty for unspecified, the digits for an unknown number, which the domain rejects."""
    return _ROLE_NAMES.get(number, str(number))


def user_to_proto(user: User) -> user_pb2.User:
    return user_pb2.User(
        id=str(user.id),
        username=user.username,
        email=user.email,
        role=_ROLE_NUMBERS[user.role],
        disabled=user.disabled,
        created_at=timestamp_to_proto(user.created_at),
    )


def session_tokens_to_proto(tokens: SessionTokens) -> auth_service_pb2.LoginResponse:
    return auth_service_pb2.LoginResponse(
        access_token=tokens.access_token.value,
        refresh_token=tokens.refresh_token.value,
        token_type=TOKEN_TYPE,
        expires_in=_seconds(tokens.access_token.lifetime),
        user=user_to_proto(tokens.user),
    )


def sessions_to_proto(page: Page[Session], caller: Caller) -> user_service_pb2.ListSessionsResponse:
    response = user_service_pb2.ListSessionsResponse(
        sessions=[_session_to_proto(session, caller) for session in page.items]
    )
    return fit_to_message_size(response, response.sessions, page)


def _session_to_proto(session: Session, caller: Caller) -> user_service_pb2.Session:
    return user_service_pb2.Session(
        id=str(session.id),
        created_at=timestamp_to_proto(session.created_at),
        used_at=timestamp_to_proto(session.used_at),
        expires_at=timestamp_to_proto(session.expires_at),
        current=session.id == caller.session_id,
    )


def users_to_proto(page: Page[User]) -> user_service_pb2.ListUsersResponse:
    response = user_service_pb2.ListUsersResponse(users=map(user_to_proto, page.items))
    return fit_to_message_size(response, response.users, page)


def lookup_results_to_proto(users: Sequence[User]) -> user_service_pb2.LookupUsersResponse:
    return user_service_pb2.LookupUsersResponse(
        users=[user_service_pb2.UserName(id=str(user.id), username=user.username) for user in users]
    )


def usernames_to_proto(usernames: Mapping[UUID, str]) -> user_service_pb2.BatchGetUserNamesResponse:
    return user_service_pb2.BatchGetUserNamesResponse(
        users=[user_service_pb2.UserName(id=str(user_id), username=username) for user_id, username in usernames.items()]
    )


def user_ids_to_proto(user_ids: UserIds) -> user_service_pb2.BatchGetUserIdsResponse:
    return user_service_pb2.BatchGetUserIdsResponse(
        users=[
            user_service_pb2.UserName(id=str(user_id), username=username)
            for username, user_id in user_ids.by_username.items()
        ],
        users_by_email=[
            user_service_pb2.UserEmail(id=str(user_id), email=email) for email, user_id in user_ids.by_email.items()
        ],
    )


def reset_code_to_proto(issued: IssuedResetCode) -> user_service_pb2.ResetUserPasswordResponse:
    return user_service_pb2.ResetUserPasswordResponse(
        reset_code=issued.code.value, expires_at=timestamp_to_proto(issued.expires_at)
    )


def service_token_to_proto(token: ServiceToken) -> auth_service_pb2.IssueServiceTokenResponse:
    return auth_service_pb2.IssueServiceTokenResponse(
        access_token=token.access_token.value,
        token_type=TOKEN_TYPE,
        expires_in=_seconds(token.access_token.lifetime),
        scopes=sorted(token.scopes),
    )


def jwks_to_proto(keys: Sequence[SigningKey]) -> auth_service_pb2.Jwks:
    return auth_service_pb2.Jwks(
        keys=[
            auth_service_pb2.Jwk(
                kty="OKP",
                crv="Ed25519",
                kid=key.kid,
                x=base64.urlsafe_b64encode(key.public_key).rstrip(b"=").decode(),
                alg=ALGORITHM,
                use="sig",
            )
            for key in keys
        ]
    )


def trust_state_to_proto(state: TrustState) -> trust_service_pb2.TrustState:
    return trust_service_pb2.TrustState(
        keys=[trust_service_pb2.VerificationKey(kid=key.kid, public_key=key.public_key) for key in state.keys],
        revocations=[revocation_to_proto(revocation) for revocation in state.revocations],
        next_cursor=str(state.cursor),
        has_more=state.has_more,
    )


def revocation_to_proto(revocation: Revocation) -> trust_service_pb2.Revocation:
    expire_time = timestamp_to_proto(revocation.expires_at)
    match revocation:
        case SessionRevoked(session_id=session_id):
            return trust_service_pb2.Revocation(session_id=str(session_id), expire_time=expire_time)
        case EpochRaised(user_id=user_id, min_epoch=min_epoch):
            user_epoch = trust_service_pb2.UserEpoch(user_id=str(user_id), min_epoch=min_epoch)
            return trust_service_pb2.Revocation(user_epoch=user_epoch, expire_time=expire_time)


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())
