"""Idempotent transactions: one effect and one stored response for each idempotency key."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from chassis.kernel.clock import Clock
from chassis.kernel.errors import Unavailable
from chassis.kernel.identity import Caller
from task_service.idempotency.key import IdempotencyKey
from task_service.idempotency.records import IdempotencyReadSession, IdempotentUnitOfWork

Work = TypeVar("Work", bound=IdempotentUnitOfWork)
Response = TypeVar("Response")
"""Response of a request; never None."""


class _KeyUsedMeanwhile(Exception):
    """Another request used the key between the lookup and the claim."""


@dataclass(frozen=True, slots=True)
class IdempotentTransactions(Generic[Work, Response]):
    """Factory of idempotent transactions whose responses are encoded as JSON.

    A use case that writes looks like this:

        async with self.transactions.open(caller, key) as transaction:
            if not transaction.is_replay:
                ...                                     # checks that need no transaction
                work = await transaction.begin()        # leaves the block if another request used the key meanwhile
                ...
                await transaction.commit(response)      # stores the response and commits
        return transaction.response
    """

    begin: Callable[[], Work]
    read: Callable[[], IdempotencyReadSession]
    now: Clock
    encode: Callable[[Response], Any]
    decode: Callable[[Any], Response]
    check_replay: Callable[[Any, Caller, Response], Awaitable[None]] | None = None
    """Check of a stored response before it is returned, in a session of `read` or `begin`.

    The caller may have lost the right to see it. Raises as a first request would.
    """
    on_replay: Callable[[], None] | None = None
    """Called when the response is a stored one, so that the client can be told."""

    @asynccontextmanager
    async def open(
        self, caller: Caller, key: IdempotencyKey | None
    ) -> AsyncIterator["IdempotentTransaction[Work, Response]"]:
        """Yield a transaction for one request. Without a key it is an ordinary transaction.

        Leaving it without `commit` rolls back, and the key can be used again. Raises IdempotencyKeyReused if the key
        was used with another request, and the errors of `check_replay`.
        """
        with suppress(_KeyUsedMeanwhile):
            async with AsyncExitStack() as stack:
                transaction = IdempotentTransaction(self, caller, key, stack)
                await transaction.find_response()
                yield transaction

    async def is_key_used(self, caller: Caller, key: str) -> bool:
        """Return whether the caller used the key before, with any request."""
        async with self.read() as session:
            return await session.idempotency.exists(caller.id, key, self.now())


class IdempotentTransaction(Generic[Work, Response]):
    """Transaction of one request.

    `is_replay` is True when the response is the stored response of an earlier request.
    """

    def __init__(
        self,
        factory: IdempotentTransactions[Work, Response],
        caller: Caller,
        key: IdempotencyKey | None,
        stack: AsyncExitStack,
    ) -> None:
        self._factory = factory
        self._caller = caller
        self._key = key
        self._stack = stack
        self._work: Work | None = None
        self._response: Response | None = None
        self.is_replay = False

    async def find_response(self) -> None:
        """Look for a stored response in a session of its own."""
        if self._key is not None:
            async with self._factory.read() as session:
                await self._replay(session, self._key, self._factory.now())

    async def begin(self) -> Work:
        """Begin the transaction and claim the key."""
        self._work = work = self._factory.begin()
        await self._stack.enter_async_context(work)
        now = self._factory.now()
        if self._key is not None and not await work.idempotency.claim(self._caller.id, self._key, now):
            # The claim has locked the record, and at the same `now` the record has not expired.
            await self._replay(work, self._key, now)
            raise _KeyUsedMeanwhile
        return work

    async def commit(self, response: Response) -> None:
        """Store the response under the key and commit, in one transaction."""
        if self._work is None:
            raise RuntimeError("commit before begin")
        if self._key is not None:
            await self._work.idempotency.store(self._caller.id, self._key, self._factory.encode(response))
        await self._work.commit()
        self._response = response

    @property
    def response(self) -> Response:
        """Response of this request, or the stored response of an earlier one."""
        if self._response is None:
            raise Unavailable  # a retry is a first request again, or a replay
        return self._response

    async def _replay(self, session: IdempotencyReadSession, key: IdempotencyKey, now: datetime) -> None:
        stored = await session.idempotency.find(self._caller.id, key, now)
        if stored is None:
            return
        response = self._factory.decode(stored)
        if self._factory.check_replay is not None:
            await self._factory.check_replay(session, self._caller, response)
        if self._factory.on_replay is not None:
            self._factory.on_replay()
        self.is_replay = True
        self._response = response
