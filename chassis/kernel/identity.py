"""Identity of the caller of a request."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Caller:
    """Verified caller: a user, who has a role, or a service, which has scopes. The roles are auth_service's.

    A user may call by a personal access token. The caller then has the role of the user and the scopes of the token.
    """

    id: UUID
    role: str | None = None
    scopes: frozenset[str] = frozenset()
    session_id: UUID | None = None
    request_id: str = ""
    epoch: int = 0
    """Epoch of the account when the access token was issued."""
    token_scopes: frozenset[str] | None = None
    """Scopes of the personal access token; None if the caller is a service, or a user with a session."""

    @property
    def is_service(self) -> bool:
        return self.role is None

    @property
    def token_id(self) -> UUID | None:
        """Id of the personal access token; None for other callers. A token is its own session."""
        return None if self.token_scopes is None else self.session_id
