"""Ending all personal access tokens of an account, inside the transaction of a use case."""

from datetime import datetime
from uuid import UUID

from auth_service.domain.security_events import SecurityEventKind
from auth_service.usecases.ports import AuthUnitOfWork
from auth_service.usecases.security_events import SecurityEventRecorder


async def revoke_all_personal_tokens(
    work: AuthUnitOfWork, user_id: UUID, *, actor: UUID, events: SecurityEventRecorder, now: datetime
) -> None:
    """End the tokens for good and record an event for each one.

    The transaction must also raise the epoch of the account, which revokes the JWTs of the tokens.
    """
    for token_id in await work.personal_tokens.end_all(user_id, now=now):
        await events.record(
            work, SecurityEventKind.PERSONAL_TOKEN_REVOKED, actor=actor, subject=user_id, token_id=str(token_id)
        )
