"""Slowing down whoever guesses passwords."""

from dataclasses import dataclass
from datetime import timedelta

from auth_service.domain.errors import TooManyAttempts
from auth_service.domain.events import EventKind
from auth_service.domain.throttling import OVERALL, Allowance, attempts_on
from auth_service.usecases.events import EventLog
from auth_service.usecases.ports import Begin

NOTED_EVERY = timedelta(minutes=1)
"""How often the log says that an account is being guessed at: an attack must not write what it likes."""


@dataclass(frozen=True, slots=True)
class LoginThrottle:
    """Counts each attempt before its password is looked at: counted afterwards, parallel guesses would all pass.

    An account's attempts run out before those of all accounts are touched, so that hammering one takes nothing from
    the others.
    """

    begin: Begin
    per_account: Allowance
    overall: Allowance
    events: EventLog

    async def take(self, email: str) -> None:
        """Counts an attempt; TooManyAttempts, with the time to wait, when there have been too many."""
        key = attempts_on(email)
        async with self.begin() as work:
            wait = await work.attempts.take(key, self.per_account)
            if wait is None:
                wait = await work.attempts.take(OVERALL, self.overall)
            if wait is None:
                await work.commit()
                return
        async with self.begin() as work:
            if await work.attempts.note(key, every=NOTED_EVERY):
                found = await work.users.login_of(email)
                subject = found.user.id if found else None
                await self.events.record(work, EventKind.LOGIN_THROTTLED, actor=None, subject=subject)
                await work.commit()
        raise TooManyAttempts(retry_after=max(wait.total_seconds(), 1.0))

    async def give_back(self, email: str) -> None:
        """Takes back an attempt whose password nobody got to look at."""
        async with self.begin() as work:
            await work.attempts.give_back(attempts_on(email), self.per_account)
            await work.commit()
