"""Errors about personal access tokens. The docstring of a DomainError is the message that the client reads."""

from auth_service.domain.errors import NotAuthenticated
from chassis.kernel.errors import DomainError, Invalid


class InvalidPersonalToken(NotAuthenticated):
    """The personal access token is wrong or unknown. Copy it again, or create a new one."""


class PersonalTokenExpired(InvalidPersonalToken):
    """The personal access token has expired. Create a new one."""


class PersonalTokenRevoked(InvalidPersonalToken):
    """The personal access token was revoked. Create a new one."""


class DuplicateScope(Invalid):
    """The scope {scope} is repeated. Give each scope once."""

    field = "scopes"

    def __init__(self, *, scope: str) -> None:
        super().__init__(scope=scope)


class InvalidTokenName(Invalid):
    """A token name needs 1 to 100 visible characters."""

    field = "name"


class ExpiryInPast(Invalid):
    """The token would have expired already. Give a time in the future, or none for 90 days."""

    field = "expires_at"


class ExpiryTooFar(Invalid):
    """The token would live too long. Give a time at most {days} days ahead."""

    field = "expires_at"

    def __init__(self, *, days: int) -> None:
        super().__init__(days=days)


class MalformedExpiry(Invalid):
    """The time must be in the years 1 to 9999."""

    field = "expires_at"


class TooManyPersonalTokens(DomainError):
    """You have {limit} personal access tokens, which is the maximum. Revoke one that you no longer need."""

    def __init__(self, *, limit: int) -> None:
        super().__init__(limit=limit)


class PersonalTokenNotFound(DomainError):
    """No active personal access token has this id."""
