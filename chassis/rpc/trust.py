"""Trust state of this process: public keys and revocations, refreshed by polling."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from taskmanager.trust.v1 import trust_service_pb2

from chassis.logs import describe_error
from chassis.metrics import TRUST_FAILURES, TRUST_REVOCATIONS, TRUST_UPDATED
from chassis.tokens import LEEWAY_SECONDS, Claims, UnknownKey

Fetch = Callable[[str], Awaitable[trust_service_pb2.TrustState]]
"""Function that fetches a page of the changes since a cursor. Any exception counts as a failed poll."""

POLL_INTERVAL_SECONDS = 2.0
"""Mean interval between polls; each is jittered by a quarter."""
MIN_POLL_INTERVAL_SECONDS = 1.0
"""Minimum interval when unknown keys trigger polls."""

log = structlog.get_logger("trust")


class TrustState:
    """Keys and revocations in memory. It makes no calls; the poller applies responses in order."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._sessions: dict[UUID, float] = {}
        self._epochs: dict[UUID, tuple[int, float]] = {}
        self.cursor = ""
        self.is_loaded = False
        self.unknown_key_seen = asyncio.Event()

    def key(self, kid: str) -> Ed25519PublicKey:
        """Return the public key with this id. UnknownKey wakes the poller: a new key may have come into use."""
        try:
            return self._keys[kid]
        except KeyError:
            self.unknown_key_seen.set()
            raise UnknownKey from None

    def is_revoked(self, claims: Claims) -> bool:
        """Return True if the session was revoked, or the token's epoch is below the user's minimum."""
        if claims.session_id in self._sessions:
            return True
        minimum = self._epochs.get(claims.subject)
        return minimum is not None and claims.epoch < minimum[0]

    def apply(self, response: trust_service_pb2.TrustState) -> None:
        """Apply a response, and drop revocations that match no unexpired token."""
        self._keys = {key.kid: Ed25519PublicKey.from_public_bytes(key.public_key) for key in response.keys}
        for revocation in response.revocations:
            expires_at = revocation.expire_time.ToSeconds() + LEEWAY_SECONDS
            if revocation.WhichOneof("subject") == "session_id":
                self._sessions[UUID(revocation.session_id)] = expires_at
            else:
                user_id, min_epoch = UUID(revocation.user_epoch.user_id), revocation.user_epoch.min_epoch
                previous_epoch, previous_expiry = self._epochs.get(user_id, (0, 0.0))
                self._epochs[user_id] = (max(previous_epoch, min_epoch), max(previous_expiry, expires_at))
        now = self._now()
        self._sessions = {session_id: expiry for session_id, expiry in self._sessions.items() if expiry > now}
        self._epochs = {user_id: (epoch, expiry) for user_id, (epoch, expiry) in self._epochs.items() if expiry > now}
        TRUST_REVOCATIONS.labels("session").set(len(self._sessions))
        TRUST_REVOCATIONS.labels("epoch").set(len(self._epochs))
        self.cursor = response.next_cursor
        # A page in the middle of the first read does not make the state complete.
        self.is_loaded = self.is_loaded or not response.has_more


class TrustPoller:
    """Poller that refreshes a TrustState every two seconds, and soon after a token with an unknown key id."""

    def __init__(self, *, state: TrustState, fetch: Fetch) -> None:
        self._state = state
        self._fetch = fetch
        self.first_response = asyncio.Event()

    async def run(self) -> None:
        """Poll until cancelled. During an outage the last response stays in force, so nobody is logged out."""
        while True:
            await self.poll()
            pause = random.uniform(0.75, 1.25) * POLL_INTERVAL_SECONDS  # noqa: S311 - jitter between replicas
            await asyncio.sleep(MIN_POLL_INTERVAL_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(pause - MIN_POLL_INTERVAL_SECONDS, 0)):
                    await self._state.unknown_key_seen.wait()

    async def poll(self) -> None:
        """Poll once: read all pages. The state is complete, and `first_response` set, only after the last one."""
        self._state.unknown_key_seen.clear()
        try:
            has_more = True
            while has_more:
                response = await self._fetch(self._state.cursor)
                self._state.apply(response)
                has_more = response.has_more
        except Exception as error:  # noqa: BLE001 - the next poll may succeed
            # The cursor itself may be invalid, for example after a restore of the database. Polling from the start is
            # cheap: revocations live no longer than tokens.
            self._state.cursor = ""
            TRUST_FAILURES.inc()
            log.warning("trust state poll failed", error=type(error).__name__, cause=describe_error(error))
        else:
            TRUST_UPDATED.set_to_current_time()
            self.first_response.set()
