"""What the contract's comments say. Generated code leaves them out; a descriptor set made with source info has them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import EnumDescriptorProto, FileDescriptorSet

from gateway.transcoding.dialect import word_prefix

# The fields of descriptor.proto's messages that hold what has a name and a comment of its own.
_NAMED = frozenset({"message_type", "nested_type", "field", "enum_type", "value", "service", "method"})

# A comment is wrapped where the .proto file is; a blank line in it ends a paragraph.
_WRAP = re.compile(r"(?<!\n)\n(?!\n)")
_CONSTANT = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
# Short enough for a list of operations: a comment's first clause.
_FIRST_CLAUSE = re.compile(r"[.:;](?:\s|$)")


class Comments:
    """Comments by full name: of services, rpcs, messages, fields, enums and, named below their enum, its values."""

    def __init__(self, texts: Mapping[str, str], words: Mapping[str, str]) -> None:
        self._texts = texts
        self._words = words

    def of(self, full_name: str) -> str:
        """The comment, in paragraphs; empty where there is none. Enum values are spelt as JSON spells them."""
        return _CONSTANT.sub(self._as_word, self._texts.get(full_name, ""))

    def summary_of(self, full_name: str) -> str:
        """The first clause of the comment."""
        return _FIRST_CLAUSE.split(self.of(full_name), maxsplit=1)[0]

    def _as_word(self, constant: re.Match[str]) -> str:
        word = self._words.get(constant[0])
        return f"`{word}`" if word else constant[0]


def read_comments(descriptor_set: bytes) -> Comments:
    """The comments in a serialized FileDescriptorSet."""
    texts: dict[str, str] = {}
    words: dict[str, str] = {}
    for file in FileDescriptorSet.FromString(descriptor_set).file:
        comments = {tuple(location.path): location.leading_comments for location in file.source_code_info.location}
        for path, name, item in _walk(file, (), file.package):
            if comment := comments.get(path):
                texts[name] = _paragraphs(comment)
            if isinstance(item, EnumDescriptorProto):
                words |= _words(item)
    return Comments(texts, words)


def _walk(parent: Any, path: tuple[int, ...], scope: str) -> Iterator[tuple[tuple[int, ...], str, Any]]:
    """Everything named below a descriptor, with its path as SourceCodeInfo writes it and its full name."""
    for field in parent.DESCRIPTOR.fields:
        if field.name in _NAMED:
            for at, child in enumerate(getattr(parent, field.name)):
                child_path, name = (*path, field.number, at), f"{scope}.{child.name}"
                yield child_path, name, child
                yield from _walk(child, child_path, name)


def _words(enum: EnumDescriptorProto) -> dict[str, str]:
    prefix = word_prefix(enum.name)
    return {value.name: value.name.removeprefix(prefix).lower() for value in enum.value if value.number}


def _paragraphs(comment: str) -> str:
    lines = "\n".join(line.removeprefix(" ").rstrip() for line in comment.splitlines())
    return _WRAP.sub(" ", lines.strip())
