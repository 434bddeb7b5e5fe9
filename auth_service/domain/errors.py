"""Errors of this service. The docstring of a DomainError is the message that the client reads."""

from chassis.kernel.errors import DomainError, Invalid, StartError


class InvalidUsername(Invalid):
    """A username needs 1 to 64 visible characters and must not begin or end with a space."""

    field = "username"


class MixedScripts(InvalidUsername):
    """The username mixes scripts, such as Latin and Cyrillic letters. Use the letters of one script."""


class EmailAsUsername(InvalidUsername):
    """The username looks like an email, and it could be another person's. Use a name without @ inside."""


class InvalidEmail(Invalid):
    """An email must look like name@example.com and have at most 254 characters."""

    field = "email"


class InvalidPassword(Invalid):
    """The password is not acceptable. Choose another one."""

    field = "password"


class PasswordTooShort(InvalidPassword):
    """The password is too short. Use at least {min_characters} characters."""

    def __init__(self, *, min_characters: int) -> None:
        super().__init__(min_characters=min_characters)


class PasswordTooLong(InvalidPassword):
    """The password is too long. Use at most 1024 bytes."""


class PasswordTooCommon(InvalidPassword):
    """The password is on the list of common passwords. Choose another one."""


class PasswordRepeatsAccount(InvalidPassword):
    """The password must not be the account's own username or email. Choose another one."""


class UnknownRole(Invalid):
    """Unknown role. Use user, manager or admin."""

    field = "role"


class ExactlyOneIdentifier(Invalid):
    """Give either an id or a username, and not both."""

    field = "id"


class TooManyUsernames(Invalid):
    """Too many usernames. Send at most {limit} in one request."""

    field = "usernames"


class TooManyEmails(Invalid):
    """Too many emails. Send at most {limit} in one request."""

    field = "emails"


class TooManyIds(Invalid):
    """Too many ids. Send at most {limit} in one request."""

    field = "ids"


class RoleNotGrantable(DomainError):
    """A registration can only give the role user. Ask an admin for a higher role."""

    field = "role"


class UsernameTaken(DomainError):
    """Another account has this username. Choose another one."""

    field = "username"


class EmailTaken(DomainError):
    """Another account has this email. Use another one, or log in."""

    field = "email"


class NotAuthenticated(DomainError):
    """Authentication failed. Log in and try again."""


class InvalidCredentials(NotAuthenticated):
    """The email or the password is wrong, or the account is disabled."""


class InvalidServiceCredential(NotAuthenticated):
    """The service credential is wrong, or the service account is disabled."""


class InvalidRefreshToken(NotAuthenticated):
    """The refresh token is invalid, expired or already used. Log in again."""


class InvalidResetCode(NotAuthenticated):
    """The reset code is invalid, expired or already used. Ask an admin for a new one."""


class AccountGone(NotAuthenticated):
    """The account of this access token was changed, disabled or deleted. Log in again."""


class WrongCurrentPassword(Invalid):
    """The current password is wrong."""

    field = "current_password"


class UserNotFound(DomainError):
    """No such account."""


class LastAdmin(DomainError):
    """The account is the last active admin. Make another account an admin first."""


class SessionNotFound(DomainError):
    """You have no active session with this id."""


class PasswordChecksBusy(DomainError):
    """Too many passwords are being checked. Try again shortly."""

    retry_after_seconds = 1.0


class TooManyAttempts(DomainError):
    """Too many password attempts. Wait before you try again."""

    def __init__(self, *, retry_after_seconds: float) -> None:
        super().__init__(retry_after_seconds=retry_after_seconds)


class InvalidServiceName(Invalid):
    """A service name needs 1 to 63 characters out of a-z, 0-9, _ and -, and must begin with a letter."""

    field = "name"


class UnknownScope(Invalid):
    """Unknown scope {scope}. Use one of {known_scopes}."""

    field = "scopes"

    def __init__(self, *, scope: str, known_scopes: str) -> None:
        super().__init__(scope=scope, known_scopes=known_scopes)


class MalformedServiceCredential(Invalid):
    """A service credential is the service's name, a dot, and 32 random bytes in base64url without padding."""

    field = "credential"


class ServiceAccountNotFound(DomainError):
    """No such service account."""


class ServiceNameTaken(DomainError):
    """A service account with this name already exists. Rotate its credential, or choose another name."""

    field = "name"


class RotationUnderway(DomainError):
    """A new signing key is published but does not sign yet. Rotate again after it has become active."""


class InvalidCursor(Invalid):
    """The cursor was never issued. Start again with an empty cursor."""

    field = "cursor"


class WrongEncryptionKey(StartError):
    """AUTH_KEY_ENCRYPTION_KEY is not the key that the signing keys in the database were encrypted with."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)
