"""Roles of people's accounts. Services have scopes instead."""

from enum import StrEnum

from auth_service.domain.errors import UnknownRole


class Role(StrEnum):
    """Role of a person's account. docs/access.md lists the calls that each role may make."""

    USER = "user"
    MANAGER = "manager"
    ADMIN = "admin"


def parse_role(text: str) -> Role:
    """Return the role of this name; raise UnknownRole for any other text, the empty one included."""
    try:
        return Role(text)
    except ValueError:
        raise UnknownRole from None


def parse_requested_role(text: str) -> Role:
    """Return the role that a registration asks for. An empty text means user; raise UnknownRole for unknown names."""
    return parse_role(text) if text else Role.USER
