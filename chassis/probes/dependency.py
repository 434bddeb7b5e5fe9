"""Servers that a process depends on, and the checks that show whether they respond."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from typing import ParamSpec, TypeVar

import structlog

from chassis.kernel.clock import utc_now
from chassis.kernel.errors import StartError
from chassis.logs import cause_of, lines_of
from chassis.metrics import DEPENDENCY_UP

CHECK_TIMEOUT_SECONDS = 2.0
CHECK_INTERVAL_SECONDS = 5.0
RETRY_SECONDS = 0.5
"""Pause between two contacts before the first success."""

P = ParamSpec("P")
T = TypeVar("T")

Check = Callable[[], Awaitable[object]]
"""Function that contacts a dependency. Any exception means that it does not respond."""

log = structlog.get_logger("dependency")


class DependencyState(StrEnum):
    """Result of the last contact. UNKNOWN is the state before the first one."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


class Dependency:
    """A server that this process calls. Its state is shown to operators; the process stays ready while it is down."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = DependencyState.UNKNOWN
        self.since: datetime = utc_now()
        self.error: str | None = None
        """Type of the last error while the dependency is down."""
        self.cause = "no response"
        """Text of the last error. It can name hosts and users, and no password."""
        self.reached = asyncio.Event()
        """Set by the first contact."""

    def observe(self, call: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        """Return a function that makes the call and records whether it succeeds."""

        async def observed(*arguments: P.args, **keywords: P.kwargs) -> T:
            try:
                result = await call(*arguments, **keywords)
            except Exception as error:
                self.record_failure(error)
                raise
            self.record_success()
            return result

        return observed

    def record_success(self) -> None:
        """Record that the dependency has responded."""
        if self.state is DependencyState.DOWN:
            log.info("dependency responds again", dependency=self.name)
        self._change(DependencyState.UP, None)
        self.reached.set()

    def record_failure(self, error: BaseException) -> None:
        """Record that the dependency has not responded. Of several failures in a row only the first is logged."""
        cause = cause_of(error)
        self.cause = "; ".join(lines_of(cause)) or type(cause).__name__
        if self.state is not DependencyState.DOWN:
            log.warning(
                "dependency does not respond", dependency=self.name, error=type(cause).__name__, cause=self.cause
            )
        self._change(DependencyState.DOWN, type(cause).__name__)

    def _change(self, state: DependencyState, error: str | None) -> None:
        if state is not self.state:
            self.state, self.since = state, utc_now()
        self.error = error
        DEPENDENCY_UP.labels(self.name).set(state is DependencyState.UP)


async def run_checks(checks: Mapping[Dependency, Check]) -> None:
    """Check all dependencies every few seconds, until cancelled."""
    while True:
        await check_all(checks)
        await asyncio.sleep(CHECK_INTERVAL_SECONDS)


async def check_all(checks: Mapping[Dependency, Check]) -> None:
    """Contact all dependencies at the same time and record the results."""
    await asyncio.gather(*(check_dependency(dependency, check) for dependency, check in checks.items()))


async def check_dependency(dependency: Dependency, check: Check) -> None:
    """Contact a dependency and record whether it responds in time."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS) as limit:
            await check()
    except Exception as error:  # noqa: BLE001 - whatever fails, the dependency does not work
        timeout = TimeoutError(f"no response within {CHECK_TIMEOUT_SECONDS:g} seconds")
        dependency.record_failure(timeout if limit.expired() else error)
    else:
        dependency.record_success()


async def check_until_reached(dependency: Dependency, check: Check) -> None:
    """Contact a dependency again and again until it has responded once."""
    while not dependency.reached.is_set():
        await check_dependency(dependency, check)
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY_SECONDS):
                await dependency.reached.wait()


async def require_all(
    checks: Mapping[Dependency, Check], variables: Mapping[Dependency, str], *, timeout_seconds: float
) -> None:
    """Contact all dependencies until each has responded once. `variables` are the settings of their addresses.

    Raises:
        ExceptionGroup: some have not responded in time. The StartError of each names its variable and the cause.

    """
    contacts = [
        _require(dependency, check, variables[dependency], timeout_seconds) for dependency, check in checks.items()
    ]
    results = await asyncio.gather(*contacts, return_exceptions=True)
    if problems := [result for result in results if isinstance(result, Exception)]:
        raise ExceptionGroup("dependencies do not respond", problems)


async def _require(dependency: Dependency, check: Check, variable: str, timeout_seconds: float) -> None:
    try:
        async with asyncio.timeout(timeout_seconds):
            await check_until_reached(dependency, check)
    except TimeoutError:
        raise StartError(f"{variable}: {dependency.cause}") from None
