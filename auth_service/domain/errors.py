"""Everything that this context refuses. A docstring is what the caller reads."""

from chassis.kernel.errors import DomainError
from chassis.kernel.errors import Invalid


class InvalidUsername(Invalid):
    """A username has 1 to 64 visible characters and neither begins nor ends with a space."""

    field = "username"


class InvalidEmail(Invalid):
    """An email looks like name@example.com and has at most 254 characters."""

    field = "email"


class InvalidPassword(Invalid):
    """A password is not acceptable."""

    field = "password"


class PasswordTooShort(InvalidPassword):
    """A password has at least {least} characters."""

    def __init__(self, *, least: int) -> None:
        super().__init__(least=least)


class PasswordTooLong(InvalidPassword):
    """A password has at most 1024 bytes."""


class PasswordTooCommon(InvalidPassword):
    """An attacker would try this password among the first; choose another."""


class PasswordRepeatsAccount(InvalidPassword):
    """A password must not be the account's own username or email."""


class UnknownRole(Invalid):
    """A role is user, manager or admin."""

    field = "role"


class ExactlyOneIdentifier(Invalid):
    """A user is named by id or by username, one of the two."""

    field = "id"


class TooManyUsernames(Invalid):
    """At most {limit} accounts are looked up by name at once."""

    field = "usernames"


class TooManyIds(Invalid):
    """At most {limit} accounts are named at once."""

    field = "ids"


class RoleNotGrantable(DomainError):
    """A registration gives the role user; only an admin gives more."""

    field = "role"


class UsernameTaken(DomainError):
    """Another account has this username."""

    field = "username"


class EmailTaken(DomainError):
    """Another account has this email."""

    field = "email"


class NotAuthenticated(DomainError):
    """You could not be identified."""


class InvalidCredentials(NotAuthenticated):
    """The email and the password do not fit an account that may log in."""


class InvalidServiceCredential(NotAuthenticated):
    """The credential does not fit a service account in use."""


class InvalidRefreshToken(NotAuthenticated):
    """The refresh token is not good, or no longer; log in again."""


class InvalidResetCode(NotAuthenticated):
    """The code is not good, or no longer; ask an admin for another."""


class AccountGone(NotAuthenticated):
    """The account that the token speaks for is no longer in use."""


class WrongCurrentPassword(Invalid):
    """The current password is another one."""

    field = "current_password"


class UserNotFound(DomainError):
    """There is no such account."""


class LastAdmin(DomainError):
    """Nobody else could administer; make another admin first."""


class SessionNotFound(DomainError):
    """You have no such session that still runs."""


class PasswordChecksBusy(DomainError):
    """Too many passwords are being checked at the moment; try again shortly."""

    retry_after = 1.0


class TooManyAttempts(DomainError):
    """Too many passwords have been tried; wait a moment before the next one."""

    def __init__(self, *, retry_after: float) -> None:
        super().__init__(retry_after=retry_after)


class InvalidServiceName(Invalid):
    """A service's name has 1 to 63 of a-z, 0-9, _ and -, and begins with a letter."""

    field = "name"


class UnknownScope(Invalid):
    """There is no scope {scope}; there are {known}."""

    field = "scopes"

    def __init__(self, *, scope: str, known: str) -> None:
        super().__init__(scope=scope, known=known)


class WeakServiceCredential(Invalid):
    """A service's credential is its name, a dot, and 32 random bytes in base64url without padding."""

    field = "credential"


class ServiceAccountNotFound(DomainError):
    """There is no such service account."""


class ServiceNameTaken(DomainError):
    """A service account of this name exists already: rotate its credential, or take another name."""

    field = "name"


class RotationUnderway(DomainError):
    """A new key is published already and signs in a moment; rotate again when it does."""


class InvalidCursor(Invalid):
    """The cursor was never handed out; begin again with an empty one."""

    field = "cursor"


class WrongEncryptionKey(Exception):
    """AUTH_KEY_ENCRYPTION_KEY is not the key that the signing keys in the database were encrypted with."""

    # Not a DomainError: no caller can act on it. It stops the process at its start.

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)
