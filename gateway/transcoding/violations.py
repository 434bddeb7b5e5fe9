"""Violations of the contract in a request, collected so that the client learns all of them at once."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.kernel.quoting import escape_invisible

MAX_VIOLATIONS = 50
MAX_NAME_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Violation:
    """One error in a request: a reason for programs, the field as the client wrote it, and a sentence for people."""

    reason: str
    field: str | None
    message: str
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Facts for programs."""


class InvalidRequest(Exception):
    """A request does not match the contract."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(violations[0].message)
        self.violations = tuple(violations)


class Violations:
    """Collector of violations. It raises at the fiftieth, so that a body with a million unknown keys costs no more."""

    def __init__(self) -> None:
        self._found: list[Violation] = []

    def add(self, reason: str, field: str | None, message: str) -> None:
        """Add a violation.

        Raises:
            InvalidRequest: there are now MAX_VIOLATIONS.

        """
        self._found.append(Violation(reason, printable_name(field) if field else None, message))
        if len(self._found) == MAX_VIOLATIONS:
            raise InvalidRequest(self._found)

    def raise_if_any(self) -> None:
        """Raise InvalidRequest if there is a violation."""
        if self._found:
            raise InvalidRequest(self._found)


def printable_name(name: str) -> str:
    """Return a client's field name in a form fit for a response: truncated, invisible characters as code points."""
    return escape_invisible(name if len(name) <= MAX_NAME_LENGTH else name[: MAX_NAME_LENGTH - 1] + "…")
