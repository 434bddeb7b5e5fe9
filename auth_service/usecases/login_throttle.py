"""Limits on password attempts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from prometheus_client import Counter

from auth_service.domain.errors import PasswordChecksBusy, TooManyAttempts
from auth_service.domain.rate_limits import ALL_LOGINS_KEY, RateLimit, login_attempt_key
from auth_service.domain.security_events import SecurityEventKind
from auth_service.usecases.account_concurrency import AccountConcurrencyLimit
from auth_service.usecases.ports import AuthUnitOfWork, Begin
from auth_service.usecases.security_events import SecurityEventRecorder

ACCOUNT, ALL_ACCOUNTS = "account", "all_accounts"
THROTTLED = Counter("auth_logins_throttled", "Password attempts refused by a rate limit", ["limit"])
for _limit in (ACCOUNT, ALL_ACCOUNTS):
    THROTTLED.labels(_limit)  # Prometheus sees no increase of a counter that did not exist before

LOG_INTERVAL = timedelta(minutes=1)
"""Minimum time between two security events about the same account: an attacker must not fill the log."""


@dataclass(frozen=True, slots=True)
class LoginThrottle:
    """Rate limits on password attempts, per account and for all accounts together, and a limit on concurrent ones.

    It counts an attempt before the password is checked. Otherwise parallel guesses would all pass before the first
    one is counted. It checks the account's limit first, so attempts on an exhausted account do not use up the shared
    limit. Right passwords do not use it up either: their attempts are given back.
    """

    begin: Begin
    per_account: RateLimit
    overall: RateLimit
    concurrency: AccountConcurrencyLimit
    events: SecurityEventRecorder

    @asynccontextmanager
    async def attempt(self, email: str) -> AsyncIterator[None]:
        """Count a password attempt, and hold one of the account's slots for it.

        Raises:
            TooManyAttempts: the attempt exceeds a limit.
            PasswordChecksBusy: no slot became free. An attempt that itself ends with this error does not count.

        """
        # Take the slot before counting the attempt: a call that waits must not use up the shared limit.
        async with self.concurrency.hold(login_attempt_key(email)):
            await self._count(email)
            try:
                yield
            except PasswordChecksBusy:
                await self._refund(email)
                raise

    async def _count(self, email: str) -> None:
        """Count an attempt; raise TooManyAttempts, with the time to wait, beyond a limit."""
        key = login_attempt_key(email)
        async with self.begin() as work:
            wait_seconds = await work.attempt_counters.hit(key, self.per_account)
            limit = ACCOUNT
            if wait_seconds is None:
                wait_seconds = await work.attempt_counters.hit(ALL_LOGINS_KEY, self.overall)
                limit = ALL_ACCOUNTS
            if wait_seconds is None:
                await work.commit()
                return
        THROTTLED.labels(limit).inc()
        async with self.begin() as work:
            if await work.attempt_counters.claim_log_entry(key, interval=LOG_INTERVAL):
                stored = await work.users.get_credentials_by_email(email)
                subject = stored.user.id if stored else None
                await self.events.record(work, SecurityEventKind.LOGIN_THROTTLED, actor=None, subject=subject)
                await work.commit()
        raise TooManyAttempts(retry_after_seconds=max(wait_seconds, 1.0))

    async def _refund(self, email: str) -> None:
        async with self.begin() as work:
            await work.attempt_counters.refund(login_attempt_key(email), self.per_account)
            await work.attempt_counters.refund(ALL_LOGINS_KEY, self.overall)
            await work.commit()

    async def refund_shared_attempt(self) -> None:
        """Give an attempt with the right password back to the limit of all accounts. The account's count stays."""
        async with self.begin() as work:
            await work.attempt_counters.refund(ALL_LOGINS_KEY, self.overall)
            await work.commit()

    async def reset(self, work: AuthUnitOfWork, email: str) -> None:
        """Forget the attempts of an account after a login (NIST SP 800-63B-4 section 3.2.2).

        Call it last before the commit: every login needs the lock of the shared counter.
        """
        await work.attempt_counters.clear(login_attempt_key(email))
        await work.attempt_counters.refund(ALL_LOGINS_KEY, self.overall)
