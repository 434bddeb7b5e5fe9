"""Accounts of people, and the checks on a username and an email."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from auth_service.domain.errors import (
    EmailAsUsername,
    InvalidEmail,
    InvalidUsername,
    MixedScripts,
    RoleNotGrantable,
)
from auth_service.domain.passwords import PasswordRules
from auth_service.domain.roles import Role, parse_requested_role
from auth_service.domain.unicode_scripts import is_highly_restrictive
from auth_service.domain.unicode_text import (
    MAX_NORMALIZABLE_CHARACTERS,
    is_visible,
    nfkc,
    nfkc_casefold,
    starts_with_combining_mark,
)
from chassis.kernel.errors import Invalid, MissingField, collect_errors, raise_all

MAX_USERNAME_CHARACTERS = 64
MAX_EMAIL_CHARACTERS = 254
"""Limit of RFC 5321 section 4.5.3.1.3, without the angle brackets."""
MAX_LOCAL_PART_CHARACTERS = 64
"""Limit of RFC 5321 section 4.5.3.1.1, for the part before the @."""

# A plain syntax check: only a delivered message proves an address. Letters beyond ASCII are allowed (RFC 6531).
_LOCAL_PART = re.compile(r"[^\s@\"(),:;<>\[\\\]]+")
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
# Services that take a username or an email, such as task_service for assignees in a CSV file, use the same rule.
_EMAIL_LIKE = re.compile(r".@.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class User:
    """Account of a person. Access tokens with an epoch below the account's are revoked."""

    id: UUID
    username: str
    email: str
    role: Role
    created_at: datetime
    disabled: bool = False
    epoch: int = 0

    @property
    def is_active_admin(self) -> bool:
        """True if this account can administer: it has the role admin and is not disabled."""
        return self.role == Role.ADMIN and not self.disabled


@dataclass(frozen=True, slots=True)
class StoredCredentials:
    """Account together with the hash of its password."""

    user: User
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Registration:
    """Unchecked request for an account, as the client sent it. `role` is empty if the client sent none."""

    username: str
    email: str
    password: str = field(repr=False)
    role: str = ""

    def create_user(
        self,
        rules: PasswordRules,
        *,
        user_id: UUID,
        now: datetime,
        grantable_roles: frozenset[Role] = frozenset({Role.USER}),
    ) -> User:
        """Check every field and return the account.

        Raises:
            Invalid: at least one field is wrong; the error lists every wrong field.
            RoleNotGrantable: the requested role is not one of `grantable_roles`.

        """
        errors: list[Invalid] = []
        username, email, role = "", "", Role.USER
        with collect_errors(errors):
            username = validate_new_username(self.username)
        with collect_errors(errors):
            email = validate_email(self.email)
        with collect_errors(errors):
            rules.check(self.password, username=username, email=email)
        with collect_errors(errors):
            role = parse_requested_role(self.role)
        raise_all(errors)
        if role not in grantable_roles:
            raise RoleNotGrantable
        return User(id=user_id, username=username, email=email, role=role, created_at=now)


def validate_username(text: str) -> str:
    """Return the username in NFKC, with its letter case unchanged; raise MissingField or InvalidUsername."""
    if len(text) > MAX_NORMALIZABLE_CHARACTERS:
        raise InvalidUsername
    name = nfkc(text)
    if not name.strip():
        raise MissingField(field=InvalidUsername.field)
    if (
        len(name) > MAX_USERNAME_CHARACTERS
        or name != name.strip()
        or not is_visible(name)
        or starts_with_combining_mark(name)
    ):
        raise InvalidUsername
    return name


def validate_new_username(text: str) -> str:
    """Return the username as validate_username does.

    Raise MixedScripts too, if letters could imitate another name, and EmailAsUsername, if the name looks like an email.
    Names of existing accounts were not checked for this and stay valid.
    """
    name = validate_username(text)
    if _EMAIL_LIKE.search(name):
        raise EmailAsUsername
    if not is_highly_restrictive(name):
        raise MixedScripts
    return name


def validate_email(text: str) -> str:
    """Return the email in NFKC, without surrounding spaces, with its letter case unchanged.

    Raises:
        MissingField: the text is blank.
        InvalidEmail: it is no email address, or it is too long.

    """
    if len(text) > MAX_NORMALIZABLE_CHARACTERS:
        raise InvalidEmail
    email = nfkc(text).strip(" ")
    if not email:
        raise MissingField(field=InvalidEmail.field)
    local_part, _, domain = email.partition("@")
    if (
        len(email) > MAX_EMAIL_CHARACTERS
        or len(local_part) > MAX_LOCAL_PART_CHARACTERS
        or not is_visible(email)
        or not _LOCAL_PART.fullmatch(local_part)
        or not _DOMAIN.fullmatch(domain)
    ):
        raise InvalidEmail
    return email


def lookup_key(text: str) -> str:
    """Return the form in which usernames and emails are unique and are looked up.

    The key ignores letter case, compatibility spellings (NFKC) and surrounding spaces. It is empty for a text that
    no account can have: one that is too long, or one with a NUL, which Postgres does not accept in a query. No
    account has an empty key.
    """
    return "" if "\0" in text or len(text) > MAX_NORMALIZABLE_CHARACTERS else nfkc_casefold(text).strip(" ")
