"""What is known of the request being served: its id and its caller.

Each call runs in a task of its own, so what is set here ends with it and nothing has to be put back.
"""

import re
from collections.abc import Callable
from contextvars import ContextVar
from uuid import uuid4

import structlog

from chassis.kernel.identity import Caller

REQUEST_ID_KEY = "x-request-id"

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_caller: ContextVar[Caller] = ContextVar("caller")
_time_remaining: ContextVar[Callable[[], float | None] | None] = ContextVar("time_remaining", default=None)


def accept_request_id(offered: str | None) -> str:
    """The id that was offered if it is one that can safely be logged and passed on, else a new one."""
    return offered if offered and _WELL_FORMED.fullmatch(offered) else str(uuid4())


def enter_request(request_id: str) -> None:
    """Names the request that this task serves; every log line of it carries the id from here on."""
    _request_id.set(request_id)
    structlog.contextvars.bind_contextvars(request_id=request_id)


def request_id() -> str:
    """The id of the request being served; empty outside one."""
    return _request_id.get()


def enter_deadline(remaining: Callable[[], float | None]) -> None:
    """Binds the calls that this task makes to the deadline of the call it serves: gRPC in Python does not by itself."""
    _time_remaining.set(remaining)


def time_remaining() -> float | None:
    """Seconds until the caller stops waiting; None when it will wait for ever, or outside a request."""
    remaining = _time_remaining.get()
    return remaining() if remaining else None


def enter_caller(caller: Caller) -> None:
    """Says who calls, to the log too; only the interceptor that verified it does."""
    _caller.set(caller)
    structlog.contextvars.bind_contextvars(caller=str(caller.id))


def current_caller() -> Caller:
    """Who calls. LookupError in a public method, where nobody was verified."""
    return _caller.get()
