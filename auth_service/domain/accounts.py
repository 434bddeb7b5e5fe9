"""A person's account, and what somebody must say to get one."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from auth_service.domain.errors import InvalidEmail, InvalidUsername, RoleNotGrantable, UnknownRole
from auth_service.domain.passwords import PasswordRules
from auth_service.domain.text import MOST_CHARACTERS, begins_with_mark, fold, is_visible, normalise
from chassis.kernel.errors import Invalid
from chassis.kernel.errors import MissingField
from task_service.access import Role
from chassis.kernel.errors import raise_all

LONGEST_USERNAME = 64
LONGEST_EMAIL = 254
"""RFC 5321 section 4.5.3.1.3, without the angle brackets."""
LONGEST_LOCAL_PART = 64

# A plain check, no more: only a message that arrives proves an address. Letters beyond ASCII are fine (RFC 6531).
_LOCAL_PART = re.compile(r"[^\s@\"(),:;<>\[\\\]]+")
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")


@dataclass(frozen=True, slots=True)
class User:
    """A person's account. A token of an epoch below the account's is no longer good."""

    id: UUID
    username: str
    email: str
    role: Role
    created_at: datetime
    disabled: bool = False
    epoch: int = 0

    @property
    def administers(self) -> bool:
        """Whether this account can administer."""
        return self.role is Role.ADMIN and not self.disabled


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """An account and what a password is held against."""

    user: User
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Registration:
    """What somebody asks an account with, as it came. `role` is empty where none was named."""

    username: str
    email: str
    password: str = field(repr=False)
    role: str = ""

    def accept(
        self,
        rules: PasswordRules,
        *,
        user_id: UUID,
        now: datetime,
        grantable: frozenset[Role] = frozenset({Role.USER}),
    ) -> User:
        """The account that this asks for.

        Raises:
            Invalid: everything that is wrong with any field.
            RoleNotGrantable: the role is not among those that this way of asking gives.

        """
        wrong: list[Invalid] = []
        username, email, role = "", "", Role.USER
        with noting(wrong):
            username = accept_username(self.username)
        with noting(wrong):
            email = accept_email(self.email)
        with noting(wrong):
            rules.check(self.password, username=username, email=email)
        with noting(wrong):
            role = accept_role(self.role)
        raise_all(wrong)
        if role not in grantable:
            raise RoleNotGrantable
        return User(id=user_id, username=username, email=email, role=role, created_at=now)


@contextmanager
def noting(wrong: list[Invalid]) -> Iterator[None]:
    """Keeps what is wrong with one field, so that the next one is looked at too."""
    try:
        yield
    except Invalid as error:
        wrong.extend(error.violations)


def accept_username(text: str) -> str:
    """The username in its normal form; letter case stays as it was typed."""
    if len(text) > MOST_CHARACTERS:
        raise InvalidUsername
    name = normalise(text)
    if not name.strip():
        raise MissingField(field=InvalidUsername.field)
    if len(name) > LONGEST_USERNAME or name != name.strip() or not is_visible(name) or begins_with_mark(name):
        raise InvalidUsername
    return name


def accept_email(text: str) -> str:
    """The email without the space around it; letter case stays as it was typed."""
    if len(text) > MOST_CHARACTERS:
        raise InvalidEmail
    email = normalise(text).strip(" ")
    if not email:
        raise MissingField(field=InvalidEmail.field)
    local, _, domain = email.partition("@")
    if (
        len(email) > LONGEST_EMAIL
        or len(local) > LONGEST_LOCAL_PART
        or not is_visible(email)
        or not _LOCAL_PART.fullmatch(local)
        or not _DOMAIN.fullmatch(domain)
    ):
        raise InvalidEmail
    return email


def accept_role(text: str) -> Role:
    """The role of this name; user where none was named."""
    try:
        return Role(text or Role.USER)
    except ValueError:
        raise UnknownRole from None


def require_role(text: str) -> Role:
    """The role of this name; UnknownRole where none was named, too."""
    if not text:
        raise UnknownRole
    return accept_role(text)


def account_key(text: str) -> str:
    """What a username or an email is unique by and looked up by: no letter case, one spelling, no space around it.

    Empty, which no account's key is, for what no account can be called: a text that is too long, or one with a NUL,
    which Postgres can't even be asked for.
    """
    return "" if "\0" in text or len(text) > MOST_CHARACTERS else fold(text).strip(" ")
