"""Router: finds the target for a method and a path.

It matches the path as it was sent: it splits at slashes and colons first and decodes afterwards, so that an escaped
slash or colon inside an id is data. An escaped colon separates a custom verb if there is a route with this method and
verb, because some HTTP clients escape it. A literal segment wins over a variable.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

from gateway.transcoding.errors import UnsupportedContract
from gateway.transcoding.http.http_rules import Template, Variable
from gateway.transcoding.violations import InvalidRequest, Violation

_ESCAPED_VERB = re.compile(rb"(.*)%3[Aa]([A-Za-z0-9._-]+)", re.DOTALL)

Target = TypeVar("Target")


class RouteNotFound(Exception):
    """No route has this path."""


class MethodNotAllowed(Exception):
    """Routes have this path, but not with this method."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__()
        self.allowed = tuple(allowed)


@dataclass(frozen=True, slots=True)
class Match(Generic[Target]):
    """The target of a route and the decoded values of its path variables, from left to right."""

    target: Target
    path_values: tuple[str, ...]


@dataclass(slots=True)
class _Node(Generic[Target]):
    literals: dict[str, "_Node[Target]"] = field(default_factory=dict)
    variable: "_Node[Target] | None" = None
    # By custom verb (None for a path without one), then by HTTP method.
    targets: dict[str | None, dict[str, Target]] = field(default_factory=dict)

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
        self.templates: list[str] = []

    def add(self, http_method: str, template: Template, target: Target) -> None:
        """Add a route. A GET route also serves HEAD (RFC 9110 section 9.1).

        Raises:
            UnsupportedContract: another route has this method and path.

        """
        node = self._root
        for segment in template.segments:
            node = node.child(segment)
        targets = node.targets.setdefault(template.verb, {})
        if http_method in targets:
            raise UnsupportedContract(f"{http_method} {template.source} is bound twice")
        targets[http_method] = target
        self.templates.append(template.source)
        if http_method == "GET":
            targets["HEAD"] = target

    def match(self, http_method: str, raw_path: bytes) -> Match[Target]:
        """Return the target and the path values.

        Raises:
            RouteNotFound: no route has this path.
            MethodNotAllowed: routes have this path, with other methods.
            InvalidRequest: the percent-encoded bytes of the path are not UTF-8.

        """
        if not raw_path.startswith(b"/"):
            raise RouteNotFound
        *parents, last = raw_path[1:].split(b"/")
        if escaped := _split_escaped_verb(last):
            try:
                return self._match(http_method, [*parents, escaped[0]], escaped[1])
            except (RouteNotFound, MethodNotAllowed):
                pass  # the colon is part of the last segment
        last, verb = _split_verb(last)
        return self._match(http_method, [*parents, last], verb)

    def methods(self, raw_path: bytes) -> tuple[str, ...]:
        """Return the methods of all routes with this path, in alphabetical order; none if no route has it.

        Raises:
            InvalidRequest: the percent-encoded bytes of the path are not UTF-8.

        """
        if not raw_path.startswith(b"/"):
            return ()
        *parents, last = raw_path[1:].split(b"/")
        methods: set[str] = set()
        for last_segment, verb in filter(None, (_split_escaped_verb(last), _split_verb(last))):
            for node, _ in _walk(self._root, [_decode(segment) for segment in (*parents, last_segment)], 0):
                methods |= node.targets.get(verb, {}).keys()
        return tuple(sorted(methods))

    def _match(self, http_method: str, raw_segments: Sequence[bytes], verb: str | None) -> Match[Target]:
        segments = [_decode(segment) for segment in raw_segments]
        allowed: set[str] = set()
        for node, path_values in _walk(self._root, segments, 0):
            targets = node.targets.get(verb, {})
            if http_method in targets:
                return Match(targets[http_method], path_values)
            allowed |= targets.keys()
        if allowed:
            raise MethodNotAllowed(sorted(allowed))
        raise RouteNotFound


def _walk(node: _Node[Target], segments: list[str], index: int) -> Iterator[tuple[_Node[Target], tuple[str, ...]]]:
    """Yield every node that matches the segments, with the values of the variables on its path; literals first."""
    if index == len(segments):
        yield node, ()
        return
    segment = segments[index]
    literal = node.literals.get(segment)
    if literal is not None:
        yield from _walk(literal, segments, index + 1)
    if node.variable is not None and segment:
        for final_node, path_values in _walk(node.variable, segments, index + 1):
            yield final_node, (segment, *path_values)


def _split_verb(last_segment: bytes) -> tuple[bytes, str | None]:
    last_segment, colon, raw_verb = last_segment.partition(b":")
    return last_segment, _decode(raw_verb) if colon else None


def _split_escaped_verb(last_segment: bytes) -> tuple[bytes, str] | None:
    escaped = None if b":" in last_segment else _ESCAPED_VERB.fullmatch(last_segment)
    return (escaped[1], escaped[2].decode()) if escaped else None


def _decode(segment: bytes) -> str:
    try:
        return (unquote_to_bytes(segment) if b"%" in segment else segment).decode()
    except UnicodeDecodeError:
        raise InvalidRequest([Violation("MALFORMED_PATH", None, "The path is not UTF-8.")]) from None
