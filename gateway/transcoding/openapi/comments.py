"""Comments of the contract. Generated code has none; a descriptor set with source info has them all."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import EnumDescriptorProto, FileDescriptorSet

from gateway.transcoding.json_codec.json_mapping import enum_value_prefix

# Fields of the messages in descriptor.proto whose elements have a name and a comment.
_NAMED_ELEMENTS = frozenset({"message_type", "nested_type", "field", "enum_type", "value", "service", "method"})

# The .proto file wraps the lines of a comment; a blank line ends a paragraph.
_LINE_WRAP = re.compile(r"(?<!\n)\n(?!\n)")
_CONSTANT = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
# The end of the first clause. Text in parentheses belongs to its clause.
_FIRST_CLAUSE = re.compile(r"(?:\([^)]*\)|[^.:;(]|[.:;(](?!\s|$))+")


class Comments:
    """Comments by full name: of services, rpcs, messages, fields, enums and enum values (named below their enum)."""

    def __init__(self, texts: Mapping[str, str], enum_names: Mapping[str, str]) -> None:
        self._texts = texts
        self._enum_names = enum_names

    def get(self, full_name: str) -> str:
        """Return the comment in paragraphs, or an empty text. Enum values have their JSON names."""
        return _CONSTANT.sub(self._to_json_name, self._texts.get(full_name, ""))

    def summary(self, full_name: str) -> str:
        """Return the first clause of the comment, which is short enough for a list of operations."""
        clause = _FIRST_CLAUSE.match(self.get(full_name))
        return clause[0] if clause else ""

    def _to_json_name(self, constant: re.Match[str]) -> str:
        name = self._enum_names.get(constant[0])
        return f"`{name}`" if name else constant[0]


def parse_comments(descriptor_set: bytes) -> Comments:
    """Return the comments in a serialized FileDescriptorSet."""
    texts: dict[str, str] = {}
    enum_names: dict[str, str] = {}
    for file in FileDescriptorSet.FromString(descriptor_set).file:
        comments = {tuple(location.path): location.leading_comments for location in file.source_code_info.location}
        for path, name, element in _walk(file, (), file.package):
            if comment := comments.get(path):
                texts[name] = _unwrap(comment)
            if isinstance(element, EnumDescriptorProto):
                enum_names |= _json_names(element)
    return Comments(texts, enum_names)


def _walk(parent: Any, path: tuple[int, ...], scope: str) -> Iterator[tuple[tuple[int, ...], str, Any]]:
    """Yield every named element below a descriptor: its path in SourceCodeInfo, its full name and itself."""
    for field in parent.DESCRIPTOR.fields:
        if field.name in _NAMED_ELEMENTS:
            for index, child in enumerate(getattr(parent, field.name)):
                child_path, name = (*path, field.number, index), f"{scope}.{child.name}"
                yield child_path, name, child
                yield from _walk(child, child_path, name)


def _json_names(enum: EnumDescriptorProto) -> dict[str, str]:
    prefix = enum_value_prefix(enum.name)
    return {value.name: value.name.removeprefix(prefix).lower() for value in enum.value if value.number}


def _unwrap(comment: str) -> str:
    lines = "\n".join(line.removeprefix(" ").rstrip() for line in comment.splitlines())
    return _LINE_WRAP.sub(" ", lines.strip())
