"""Every use case of the service, by the name under which servicers, commands and background loops call it.

Each servicer gets one object. bootstrap.py builds them.
"""

from dataclasses import dataclass

from auth_service.usecases.cleanup import DeleteExpiredEvents, DeleteExpiredRecords
from auth_service.usecases.current_user import DeleteCurrentUser, GetCurrentUser, UpdateCurrentUser
from auth_service.usecases.login import LogIn
from auth_service.usecases.password_reset import IssueResetCode, RedeemResetCode
from auth_service.usecases.passwords import ChangePassword
from auth_service.usecases.personal_tokens import (
    CreatePersonalToken,
    ExchangePersonalToken,
    ListPersonalTokens,
    ListPersonalTokensOfUser,
    RevokePersonalToken,
    RevokePersonalTokenOfUser,
)
from auth_service.usecases.registration import CreateAdmin, Register
from auth_service.usecases.security_events import ListSecurityEvents
from auth_service.usecases.service_accounts import (
    CreateServiceAccount,
    EnsureServiceAccount,
    ListServiceAccounts,
    RotateServiceAccount,
    SetServiceAccountDisabled,
)
from auth_service.usecases.service_tokens import IssueServiceToken
from auth_service.usecases.sessions import ListSessions, LogOut, RefreshSession, RevokeSession
from auth_service.usecases.signing_keys import EnsureSigningKey, GetPublicKeys, RotateSigningKey
from auth_service.usecases.trust import GetTrustState
from auth_service.usecases.user_administration import UpdateUser
from auth_service.usecases.users import (
    BatchGetUserIds,
    BatchGetUserNames,
    GetUser,
    ListUsers,
    LookupUsers,
    ResolveUser,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthUseCases:
    """Use cases of AuthService."""

    register: Register
    log_in: LogIn
    refresh_session: RefreshSession
    log_out: LogOut
    redeem_reset_code: RedeemResetCode
    issue_service_token: IssueServiceToken
    get_public_keys: GetPublicKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class UserUseCases:
    """Use cases of UserService."""

    get_current_user: GetCurrentUser
    update_current_user: UpdateCurrentUser
    delete_current_user: DeleteCurrentUser
    change_password: ChangePassword
    list_sessions: ListSessions
    revoke_session: RevokeSession

    list_users: ListUsers
    get_user: GetUser
    resolve_user: ResolveUser
    lookup_users: LookupUsers
    batch_get_user_names: BatchGetUserNames
    batch_get_user_ids: BatchGetUserIds
    update_user: UpdateUser
    issue_reset_code: IssueResetCode


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUseCases:
    """Use cases of TokenService."""

    create_personal_token: CreatePersonalToken
    list_personal_tokens: ListPersonalTokens
    revoke_personal_token: RevokePersonalToken
    list_personal_tokens_of_user: ListPersonalTokensOfUser
    revoke_personal_token_of_user: RevokePersonalTokenOfUser
    exchange_personal_token: ExchangePersonalToken


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccountUseCases:
    """Use cases of ServiceAccountService."""

    list_service_accounts: ListServiceAccounts
    create_service_account: CreateServiceAccount
    rotate_service_account: RotateServiceAccount
    set_service_account_disabled: SetServiceAccountDisabled


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorUseCases:
    """Use cases of commands and background loops. No rpc calls them."""

    create_admin: CreateAdmin
    ensure_service_account: EnsureServiceAccount
    ensure_signing_key: EnsureSigningKey
    rotate_signing_key: RotateSigningKey
    delete_expired_records: DeleteExpiredRecords
    delete_expired_events: DeleteExpiredEvents


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """All use cases. SecurityEventService and TrustService have only one each."""

    auth: AuthUseCases
    users: UserUseCases
    tokens: TokenUseCases
    service_accounts: ServiceAccountUseCases
    operators: OperatorUseCases
    list_security_events: ListSecurityEvents
    get_trust_state: GetTrustState
