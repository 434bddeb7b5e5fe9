"""The http rules of the contract (google.api.http), in exactly the grammar that the contract uses.

    Template = "/" Segment { "/" Segment } [ ":" LITERAL ]
    Segment  = LITERAL | "{" FIELD "}"

FIELD is a string field of the request and matches one whole segment. A body is "*" or one message field. Anything else
that google.api.http allows stops the start, because a rule that is only half understood misroutes requests.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from gateway.transcoding.errors import UnsupportedContract

_LITERAL = re.compile(r"[A-Za-z0-9._-]+")
_VARIABLE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class Variable:
    """A path segment whose text fills a field of the request."""

    field: str


@dataclass(frozen=True, slots=True)
class Template:
    """A path template: its segments and, after a colon, the custom verb."""

    source: str
    segments: tuple[str | Variable, ...]
    verb: str | None

    @property
    def variables(self) -> tuple[str, ...]:
        """The fields that the path fills, from left to right."""
        return tuple(segment.field for segment in self.segments if isinstance(segment, Variable))


@dataclass(frozen=True, slots=True)
class Binding:
    """One HTTP method and path of an rpc. `body` is "" (no body), "*" (the whole request) or the name of a field."""

    http_method: str
    template: Template
    body: str


def read_bindings(method: MethodDescriptor) -> tuple[Binding, ...]:
    """Return the bindings of a method: its rule, then the additional ones. A method without a rule has none.

    Raises:
        UnsupportedContract: the rule is outside the grammar. The message names the method.

    """
    if not method.GetOptions().HasExtension(annotations_pb2.http):
        return ()
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    try:
        return tuple(_read_binding(flat, method.input_type) for flat in _flatten(rule))
    except UnsupportedContract as error:
        raise UnsupportedContract(f"{method.full_name}: {error}") from None


def parse_template(source: str) -> Template:
    """Parse a path template.

    Raises:
        UnsupportedContract: the template is outside the grammar.

    """
    path, colon, verb = source.partition(":")
    if not path.startswith("/") or (colon and not _LITERAL.fullmatch(verb)):
        raise UnsupportedContract(f"the path {source!r} is outside the grammar")
    return Template(source, tuple(_parse_segment(segment, source) for segment in path[1:].split("/")), verb or None)


def _flatten(rule: HttpRule) -> Iterator[HttpRule]:
    yield rule
    for additional in rule.additional_bindings:
        if additional.additional_bindings:
            raise UnsupportedContract("nested additional_bindings are not supported")
        yield additional


def _read_binding(rule: HttpRule, request: Descriptor) -> Binding:
    pattern = rule.WhichOneof("pattern")
    if pattern is None or pattern == "custom":
        raise UnsupportedContract("a rule needs one of get, put, post, delete, patch")
    if rule.response_body or rule.selector:
        raise UnsupportedContract("response_body and selector are not supported")
    binding = Binding(pattern.upper(), parse_template(getattr(rule, pattern)), rule.body)
    _check_fields(binding, request)
    return binding


def _check_fields(binding: Binding, request: Descriptor) -> None:
    variables = binding.template.variables
    if len(set(variables)) != len(variables) or binding.body in variables:
        raise UnsupportedContract(f"{binding.template.source!r} fills a field twice")
    for name in variables:
        field = request.fields_by_name.get(name)
        if field is None or field.type != FieldDescriptor.TYPE_STRING or field.is_repeated:
            raise UnsupportedContract(f"{{{name}}} is not a string field of {request.full_name}")
    if binding.body and binding.http_method not in _METHODS_WITH_BODY:
        raise UnsupportedContract(f"{binding.http_method} has no body")
    if binding.body not in {"", "*"}:
        field = request.fields_by_name.get(binding.body)
        if field is None or field.message_type is None or field.is_repeated:
            raise UnsupportedContract(f"the body {binding.body!r} is not a message field of {request.full_name}")


def _parse_segment(segment: str, source: str) -> str | Variable:
    if variable := _VARIABLE.fullmatch(segment):
        return Variable(variable[1])
    if _LITERAL.fullmatch(segment):
        return segment
    raise UnsupportedContract(f"the path {source!r} is outside the grammar at {segment!r}")
