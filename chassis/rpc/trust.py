"""What this process knows of keys and revocations, kept fresh by polling."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from taskmanager.trust.v1 import trust_service_pb2

from chassis.metrics import TRUST_FAILURES, TRUST_UPDATED
from chassis.tokens import LEEWAY_SECONDS
from chassis.tokens import Claims, UnknownKey

Fetch = Callable[[str], Awaitable[trust_service_pb2.TrustState]]
"""Asks for what changed since a cursor; any exception means no answer this time."""

INTERVAL = 2.0
"""Seconds between two polls, give or take a quarter."""
SOONEST = 1.0
"""Seconds between two polls that unknown keys asked for."""

log = structlog.get_logger("trust")


class TrustState:
    """Keys and revocations in memory. Answers are applied in order; nothing is asked here."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._sessions: dict[UUID, float] = {}
        self._epochs: dict[UUID, tuple[int, float]] = {}
        self.cursor = ""
        self.unknown_key_met = asyncio.Event()

    def key(self, kid: str) -> Ed25519PublicKey:
        """The public key of this name. UnknownKey wakes the poller: a new key may just have begun to sign."""
        try:
            return self._keys[kid]
        except KeyError:
            self.unknown_key_met.set()
            raise UnknownKey from None

    def is_revoked(self, claims: Claims) -> bool:
        """Whether the session was ended or the user's epoch has passed the token's."""
        if claims.session_id in self._sessions:
            return True
        least = self._epochs.get(claims.subject)
        return least is not None and claims.epoch < least[0]

    def apply(self, answer: trust_service_pb2.TrustState) -> None:
        """Takes in one answer and forgets revocations that no living token can match."""
        self._keys = {key.kid: Ed25519PublicKey.from_public_bytes(key.public_key) for key in answer.keys}
        for revocation in answer.revocations:
            until = revocation.expire_time.ToSeconds() + LEEWAY_SECONDS
            if revocation.WhichOneof("subject") == "session_id":
                self._sessions[UUID(revocation.session_id)] = until
            else:
                user, least = UUID(revocation.user_epoch.user_id), revocation.user_epoch.least_epoch
                known = self._epochs.get(user, (0, 0.0))
                self._epochs[user] = (max(known[0], least), max(known[1], until))
        now = self._now()
        self._sessions = {session: until for session, until in self._sessions.items() if until > now}
        self._epochs = {user: known for user, known in self._epochs.items() if known[1] > now}
        self.cursor = answer.next_cursor


class TrustPoller:
    """Keeps a TrustState fresh: every two seconds, and soon after a token named a key nobody knew."""

    def __init__(self, *, state: TrustState, fetch: Fetch) -> None:
        self._state = state
        self._fetch = fetch
        self.first_answer = asyncio.Event()

    async def run(self) -> None:
        """Polls until cancelled. An outage logs no one out: the last answer stays in force."""
        while True:
            await self.poll()
            pause = random.uniform(0.75, 1.25) * INTERVAL  # noqa: S311 - jitter, so that replicas don't ask in step
            await asyncio.sleep(SOONEST)
            try:
                await asyncio.wait_for(self._state.unknown_key_met.wait(), max(pause - SOONEST, 0))
            except TimeoutError:
                continue

    async def poll(self) -> None:
        """Asks once."""
        self._state.unknown_key_met.clear()
        try:
            self._state.apply(await self._fetch(self._state.cursor))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the next poll may go well
            # The cursor may be what is wrong, as when the database was restored. Asking from the beginning costs
            # little: revocations live no longer than tokens.
            self._state.cursor = ""
            TRUST_FAILURES.inc()
            log.warning("no trust state", error=type(error).__name__)
        else:
            TRUST_UPDATED.set_to_current_time()
            self.first_answer.set()
