"""Finds what answers a method and a path.

Matching is on the path as it was sent: it is cut at its slashes and colons first and decoded after that, so that an
escaped slash or colon inside an id is data. A literal segment wins over a variable one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

from gateway.transcoding.http_rules import Template, UnsupportedContract, Variable
from gateway.transcoding.violations import InvalidRequest, Violation

Target = TypeVar("Target")


class NoRoute(Exception):
    """Nothing answers at this path."""


class WrongMethod(Exception):
    """Something answers at this path, but not to this method."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__()
        self.allowed = tuple(allowed)


@dataclass(frozen=True, slots=True)
class Match(Generic[Target]):
    """What was found, and the decoded texts of the template's variables from left to right."""

    target: Target
    values: tuple[str, ...]


@dataclass(slots=True)
class _Node(Generic[Target]):
    literals: dict[str, "_Node[Target]"] = field(default_factory=dict)
    variable: "_Node[Target] | None" = None
    # By verb, None for a path without one; then by HTTP method.
    leaves: dict[str | None, dict[str, Target]] = field(default_factory=dict)

    def child(self, segment: str | Variable) -> "_Node[Target]":
        if isinstance(segment, str):
            return self.literals.setdefault(segment, _Node())
        if self.variable is None:
            self.variable = _Node()
        return self.variable


class Router(Generic[Target]):
    """A tree of path segments."""

    def __init__(self) -> None:
        self._root: _Node[Target] = _Node()

    def add(self, http_method: str, template: Template, target: Target) -> None:
        """Adds a route; one for GET answers HEAD too (RFC 9110 section 9.1).

        Raises:
            UnsupportedContract: the path and method are taken.

        """
        node = self._root
        for segment in template.segments:
            node = node.child(segment)
        leaf = node.leaves.setdefault(template.verb, {})
        if http_method in leaf:
            raise UnsupportedContract(f"{http_method} {template.source} is bound twice")
        leaf[http_method] = target
        if http_method == "GET":
            leaf["HEAD"] = target

    def match(self, http_method: str, raw_path: bytes) -> Match[Target]:
        """Finds the target.

        Raises:
            NoRoute: the path is unknown.
            WrongMethod: the path is known under other methods.
            InvalidRequest: the path's escapes are not UTF-8.

        """
        if not raw_path.startswith(b"/"):
            raise NoRoute
        *parents, last = raw_path[1:].split(b"/")
        last, colon, raw_verb = last.partition(b":")
        verb = _decode(raw_verb) if colon else None
        segments = [_decode(segment) for segment in (*parents, last)]
        allowed: set[str] = set()
        for node, values in _walk(self._root, segments, 0):
            leaf = node.leaves.get(verb, {})
            if http_method in leaf:
                return Match(leaf[http_method], values)
            allowed |= leaf.keys()
        if allowed:
            raise WrongMethod(sorted(allowed))
        raise NoRoute


def _walk(node: _Node[Target], segments: list[str], at: int) -> Iterator[tuple[_Node[Target], tuple[str, ...]]]:
    """Every node that the segments lead to with what the variables hold on the way, literals first."""
    if at == len(segments):
        yield node, ()
        return
    segment = segments[at]
    literal = node.literals.get(segment)
    if literal is not None:
        yield from _walk(literal, segments, at + 1)
    if node.variable is not None and segment:
        for found, values in _walk(node.variable, segments, at + 1):
            yield found, (segment, *values)


def _decode(segment: bytes) -> str:
    try:
        return (unquote_to_bytes(segment) if b"%" in segment else segment).decode()
    except UnicodeDecodeError:
        raise InvalidRequest([Violation("MALFORMED_PATH", None, "The path is not UTF-8.")]) from None
