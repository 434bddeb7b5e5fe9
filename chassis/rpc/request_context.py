"""Context of the current request: id, caller, deadline and trailing metadata.

Each call runs in a task of its own, so the context variables end with it and are never reset.
"""

import re
from collections.abc import Callable
from contextvars import ContextVar
from random import getrandbits

import structlog

from chassis.kernel.identity import Caller

REQUEST_ID_KEY = "x-request-id"
IDEMPOTENCY_REPLAYED_KEY = "idempotency-replayed"
"""Key of the trailing metadata of a response that was stored for an earlier request with the same idempotency key."""

# RFC 9562 section 5.4: the bits of a UUIDv4 that are not random.
_VERSION_AND_VARIANT = 0x4 << 76 | 0b10 << 62
_RANDOM_BITS = ~(0xF << 76 | 0b11 << 62)
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_caller: ContextVar[Caller] = ContextVar("caller")
_time_remaining: ContextVar[Callable[[], float | None] | None] = ContextVar("time_remaining", default=None)

_add_trailer: ContextVar[Callable[[str, str], None] | None] = ContextVar("add_trailer", default=None)


def accept_request_id(received: str | None) -> str:
    """Return the received id if it is safe to log and pass on, else a new one."""
    if received and _WELL_FORMED.fullmatch(received):
        return received
    return _new_request_id()


def _new_request_id() -> str:
    """Return a random UUIDv4 as text, in a third of the time that the uuid module takes.

    uuid4() makes a system call for each id. No id has to be hard to guess: a caller may choose any.
    """
    digits = f"{getrandbits(128) & _RANDOM_BITS | _VERSION_AND_VARIANT:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def enter_request(request_id: str) -> None:
    """Set the request id of this task. Every later log line of the task contains it."""
    _request_id.set(request_id)
    structlog.contextvars.bind_contextvars(request_id=request_id)


def request_id() -> str:
    """Return the id of the current request; empty outside a request."""
    return _request_id.get()


def enter_deadline(remaining: Callable[[], float | None]) -> None:
    """Set the deadline for outgoing calls of this task. gRPC in Python does not propagate deadlines."""
    _time_remaining.set(remaining)


def time_remaining() -> float | None:
    """Return the seconds until the caller's deadline; None without a deadline or outside a request."""
    remaining = _time_remaining.get()
    return remaining() if remaining else None


def enter_trailing_metadata(add: Callable[[str, str], None]) -> None:
    """Set the function that adds a key and a value to the trailing metadata of the current call."""
    _add_trailer.set(add)


def mark_replayed() -> None:
    """Tell the client that the response is the stored one of an earlier request. Without effect outside a request."""
    if add := _add_trailer.get():
        add(IDEMPOTENCY_REPLAYED_KEY, "true")


def enter_caller(caller: Caller) -> None:
    """Set the current caller, also for the log. Only the interceptor that verified the token calls this."""
    _caller.set(caller)
    structlog.contextvars.bind_contextvars(caller=str(caller.id))
    if caller.token_id:
        structlog.contextvars.bind_contextvars(token_id=str(caller.token_id))


def caller_or_none() -> Caller | None:
    """Return the current caller; None in a public method and outside a request."""
    return _caller.get(None)


def current_caller() -> Caller:
    """Return the current caller. Raises LookupError in a public method, where no token is verified."""
    return _caller.get()
