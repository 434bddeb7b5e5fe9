"""The http rules of the contract (google.api.http), in exactly the grammar that it uses.

    Template = "/" Segment { "/" Segment } [ ":" LITERAL ]
    Segment  = LITERAL | "{" FIELD "}"

FIELD is a string field of the request and stands for one whole segment. A body is "*" or one message field. Whatever
google.api.http knows beyond that stops start-up: a rule that is half understood routes requests to the wrong place.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

_LITERAL = re.compile(r"[A-Za-z0-9._-]+")
_VARIABLE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class UnsupportedContract(Exception):
    """The contract says something that the gateway does not understand."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A path segment whose text goes into a field of the request."""

    field: str


@dataclass(frozen=True, slots=True)
class Template:
    """A path: its segments and, behind a colon, the custom verb."""

    source: str
    segments: tuple[str | Variable, ...]
    verb: str | None

    @property
    def variables(self) -> tuple[str, ...]:
        """The fields that the path fills, from left to right."""
        return tuple(segment.field for segment in self.segments if isinstance(segment, Variable))


@dataclass(frozen=True, slots=True)
class Binding:
    """One way to call an rpc over HTTP. `body` is "" (there is none), "*" (the request itself) or a field's name."""

    http_method: str
    template: Template
    body: str


def read_bindings(method: MethodDescriptor) -> tuple[Binding, ...]:
    """The rule of a method and its additional bindings; nothing for a method without a rule.

    Raises:
        UnsupportedContract: the rule is outside the grammar. The message names the method.

    """
    if not method.GetOptions().HasExtension(annotations_pb2.http):
        return ()
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    try:
        return tuple(_read(one, method.input_type) for one in _flatten(rule))
    except UnsupportedContract as error:
        raise UnsupportedContract(f"{method.full_name}: {error}") from None


def parse_template(source: str) -> Template:
    """Reads a path template.

    Raises:
        UnsupportedContract: it is outside the grammar.

    """
    path, colon, verb = source.partition(":")
    if not path.startswith("/") or (colon and not _LITERAL.fullmatch(verb)):
        raise UnsupportedContract(f"the path {source!r} is outside the grammar")
    return Template(source, tuple(_segment(part, source) for part in path[1:].split("/")), verb or None)


def _flatten(rule: HttpRule) -> Iterator[HttpRule]:
    yield rule
    for additional in rule.additional_bindings:
        if additional.additional_bindings:
            raise UnsupportedContract("additional bindings are nested")
        yield additional


def _read(rule: HttpRule, request: Descriptor) -> Binding:
    verb = rule.WhichOneof("pattern")
    if verb is None or verb == "custom":
        raise UnsupportedContract("a rule needs one of get, put, post, delete, patch")
    if rule.response_body or rule.selector:
        raise UnsupportedContract("response_body and selector are not understood")
    binding = Binding(verb.upper(), parse_template(getattr(rule, verb)), rule.body)
    _check(binding, request)
    return binding


def _check(binding: Binding, request: Descriptor) -> None:
    variables = binding.template.variables
    if len(set(variables)) != len(variables) or binding.body in variables:
        raise UnsupportedContract(f"{binding.template.source!r} fills a field twice")
    for name in variables:
        field = request.fields_by_name.get(name)
        if field is None or field.type != FieldDescriptor.TYPE_STRING or field.is_repeated:
            raise UnsupportedContract(f"{{{name}}} is no string field of {request.full_name}")
    if binding.body and binding.http_method not in _WITH_BODY:
        raise UnsupportedContract(f"{binding.http_method} has no body")
    if binding.body not in {"", "*"}:
        field = request.fields_by_name.get(binding.body)
        if field is None or field.message_type is None or field.is_repeated:
            raise UnsupportedContract(f"the body {binding.body!r} is no message field of {request.full_name}")


def _segment(part: str, source: str) -> str | Variable:
    if variable := _VARIABLE.fullmatch(part):
        return Variable(variable[1])
    if _LITERAL.fullmatch(part):
        return part
    raise UnsupportedContract(f"the path {source!r} is outside the grammar at {part!r}")
