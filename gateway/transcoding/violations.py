"""What is wrong with a request, collected so that a client hears of everything at once."""

from collections.abc import Sequence
from dataclasses import dataclass

MOST = 50
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong: a reason for programs, the field as the client spelt it, a sentence for people."""

    reason: str
    field: str | None
    message: str


class InvalidRequest(Exception):
    """A request can't be turned into a message of the contract."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(violations[0].message)
        self.violations = tuple(violations)


class Violations:
    """Collects violations. At the fiftieth it stops the work: a body of a million wrong keys earns no longer answer."""

    def __init__(self) -> None:
        self._found: list[Violation] = []

    def add(self, reason: str, field: str | None, message: str) -> None:
        """Notes one violation.

        Raises:
            InvalidRequest: it was one too many.

        """
        self._found.append(Violation(reason, printable(field) if field else None, message))
        if len(self._found) == MOST:
            raise InvalidRequest(self._found)

    def settle(self) -> None:
        """Raises InvalidRequest if anything was noted."""
        if self._found:
            raise InvalidRequest(self._found)


def printable(name: str) -> str:
    """A name that came from outside, fit to be sent back: cut, and without lone surrogates, which JSON can't carry."""
    cut = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
    return cut.encode("utf-8", "replace").decode("utf-8")
