"""Identity of the caller of a request."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Caller:
    """Verified caller: a user, who has a role, or a service, which has scopes. The roles are auth_service's."""

    id: UUID
    role: str | None = None
    scopes: frozenset[str] = frozenset()
    session_id: UUID | None = None
    request_id: str = ""
    epoch: int = 0
    """Epoch of the account when the access token was issued."""

    @property
    def is_service(self) -> bool:
        return self.role is None
