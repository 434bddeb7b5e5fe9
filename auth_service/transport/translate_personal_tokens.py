"""Translation between protobuf messages and domain objects, for personal access tokens. Pure."""

from datetime import UTC, datetime

from taskmanager.auth.v1 import token_service_pb2 as pb

from auth_service.domain.personal_token_errors import MalformedExpiry
from auth_service.domain.personal_tokens import PersonalToken, TokenRequest
from auth_service.transport.translate import TOKEN_TYPE
from auth_service.usecases.personal_tokens import CreatedPersonalToken, ExchangedPersonalToken
from chassis.kernel.pagination import Page
from chassis.rpc.pagination import fit_to_message_size
from chassis.rpc.proto_fields import timestamp_to_proto


def token_request_from_proto(request: pb.CreateTokenRequest) -> TokenRequest:
    """Return the request; raise MalformedExpiry for a time that is no date of the calendar."""
    return TokenRequest(request.name, list(request.scopes), _expiry_from_proto(request))


def created_token_to_proto(created: CreatedPersonalToken) -> pb.CreatedToken:
    token = created.token
    return pb.CreatedToken(
        token=created.secret.value,
        id=str(token.id),
        name=token.name,
        scopes=sorted(token.scopes),
        created_at=timestamp_to_proto(token.created_at),
        expires_at=timestamp_to_proto(token.expires_at),
    )


def tokens_to_proto(page: Page[PersonalToken]) -> pb.ListTokensResponse:
    response = pb.ListTokensResponse(tokens=map(_token_to_proto, page.items))
    return fit_to_message_size(response, response.tokens, page)


def exchanged_token_to_proto(exchanged: ExchangedPersonalToken) -> pb.ExchangeTokenResponse:
    return pb.ExchangeTokenResponse(
        access_token=exchanged.access_token.value,
        token_type=TOKEN_TYPE,
        expires_in=int(exchanged.access_token.lifetime.total_seconds()),
        scopes=sorted(exchanged.token.scopes),
        token_id=str(exchanged.token.id),
    )


def _token_to_proto(token: PersonalToken) -> pb.Token:
    return pb.Token(
        id=str(token.id),
        name=token.name,
        scopes=sorted(token.scopes),
        created_at=timestamp_to_proto(token.created_at),
        expires_at=timestamp_to_proto(token.expires_at),
        last_used_at=timestamp_to_proto(token.last_used_at),
    )


def _expiry_from_proto(request: pb.CreateTokenRequest) -> datetime | None:
    if not request.HasField("expires_at"):
        return None
    try:
        return request.expires_at.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise MalformedExpiry from None
