"""Changes of an OpenAPI document that break clients, generated ones too.

It knows the part of JSON Schema that the gateway's document uses. A new value of an enum in a response is not counted:
clients must expect it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]

_MAXIMUMS = ("maxLength", "maxItems", "maxProperties")


def breaking_changes(released: Document, current: Document) -> list[str]:
    """Return a sentence for each change that breaks clients of the released document."""
    return list(dict.fromkeys(_Comparison(released, current).changes()))


@dataclass
class _Comparison:
    released: Document
    current: Document
    compared: set[tuple[str, bool]] = field(default_factory=set)
    """Components that were compared, in requests (True) or in responses (False)."""

    def changes(self) -> Iterator[str]:
        for path, item in self.released["paths"].items():
            for method, operation in item.items():
                place = f"{method.upper()} {path}"
                new_operation = self.current["paths"].get(path, {}).get(method)
                if new_operation is None:
                    yield f"{place}: removed"
                else:
                    yield from self._operation(place, operation, new_operation)

    def _operation(self, place: str, old: Document, new: Document) -> Iterator[str]:
        if old["operationId"] != new["operationId"]:
            yield f"{place}: the operationId was {old['operationId']}"
        if not old["security"] and new["security"]:
            yield f"{place}: needs a token"
        yield from self._parameters(place, old, new)
        yield from self._body(place, old.get("requestBody", {}), new.get("requestBody", {}))
        for status, response in old["responses"].items():
            # An error status that is no longer listed is still one of 4XX or 5XX.
            if status not in new["responses"]:
                if status < "4":
                    yield f"{place}: the status {status} was removed"
                continue
            yield from self._response(
                f"{place} {status}",
                _resolve(self.released, response),
                _resolve(self.current, new["responses"][status]),
            )

    def _parameters(self, place: str, old: Document, new: Document) -> Iterator[str]:
        old_parameters, new_parameters = (
            {(found["in"], found["name"]): found for found in (_resolve(document, each) for each in side["parameters"])}
            for document, side in ((self.released, old), (self.current, new))
        )
        for key, parameter in new_parameters.items():
            is_new = key not in old_parameters
            if parameter.get("required") and (is_new or not old_parameters[key].get("required")):
                yield f"{place}: the parameter {key[1]} is required"
        for key, parameter in old_parameters.items():
            if key not in new_parameters:
                yield f"{place}: the parameter {key[1]} was removed"
            else:
                where = f"{place} {key[1]}"
                yield from self._schema(where, parameter["schema"], new_parameters[key]["schema"], is_request=True)

    def _body(self, place: str, old: Document, new: Document) -> Iterator[str]:
        if new.get("required") and not old.get("required"):
            yield f"{place}: the body is required"
        yield from self._content(f"{place} body", old.get("content", {}), new.get("content", {}), is_request=True)

    def _response(self, place: str, old: Document, new: Document) -> Iterator[str]:
        yield from (f"{place}: the header {name} was removed" for name in old["headers"] if name not in new["headers"])
        yield from self._content(place, old.get("content", {}), new.get("content", {}), is_request=False)

    def _content(self, place: str, old: Document, new: Document, *, is_request: bool) -> Iterator[str]:
        for media_type, content in old.items():
            if media_type not in new:
                yield f"{place}: {media_type} was removed"
            else:
                yield from self._schema(place, content["schema"], new[media_type]["schema"], is_request=is_request)

    def _schema(self, place: str, old: Document, new: Document, *, is_request: bool) -> Iterator[str]:
        old, old_null = _without_null(old)
        new, new_null = _without_null(new)
        if old_null != new_null and old_null == is_request:
            yield f"{place}: null is {'no longer allowed' if is_request else 'possible'}"
        old_name, new_name = old.get("$ref"), new.get("$ref")
        if old_name != new_name:
            yield f"{place}: the schema was {old_name or old.get('type')} and is {new_name or new.get('type')}"
            return
        if old_name:
            if (old_name, is_request) in self.compared:
                return
            self.compared.add((old_name, is_request))
            place = f"{old_name.rpartition('/')[2]} in {'requests' if is_request else 'responses'}"
            old, new = _resolve(self.released, old), _resolve(self.current, new)
        yield from _values(place, old, new, is_request=is_request)
        if "items" in old and "items" in new:
            yield from self._schema(f"{place} items", old["items"], new["items"], is_request=is_request)
        yield from self._properties(place, old, new, is_request=is_request)

    def _properties(self, place: str, old: Document, new: Document, *, is_request: bool) -> Iterator[str]:
        old_required, new_required = set(old.get("required", ())), set(new.get("required", ()))
        if is_request:
            yield from (f"{place}: {name} is required" for name in sorted(new_required - old_required))
        for name, schema in old.get("properties", {}).items():
            if name not in new.get("properties", {}):
                yield f"{place}: {name} was removed"
                continue
            if not is_request and name in old_required - new_required:
                yield f"{place}: {name} may be absent"
            yield from self._schema(f"{place} {name}", schema, new["properties"][name], is_request=is_request)


def _values(place: str, old: Document, new: Document, *, is_request: bool) -> Iterator[str]:
    for key in ("type", "format"):
        if old.get(key) != new.get(key):
            yield f"{place}: the {key} was {old.get(key)} and is {new.get(key)}"
    if not is_request:
        return
    for value in old.get("enum", ()):
        if value not in new.get("enum", [value]):
            yield f"{place}: {value} is no longer allowed"
    if "enum" in new and "enum" not in old:
        yield f"{place}: only {new['enum']} are allowed"
    for key in _MAXIMUMS:
        if key in new and new[key] < old.get(key, float("inf")):
            yield f"{place}: {key} is {new[key]}"
    if new.get("minLength", 0) > old.get("minLength", 0):
        yield f"{place}: minLength is {new['minLength']}"


def _resolve(document: Document, node: Document) -> Document:
    while "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def _without_null(schema: Document) -> tuple[Document, bool]:
    """Return the schema of the values other than null, and whether null is one of the values."""
    if "anyOf" in schema:
        (other,) = (choice for choice in schema["anyOf"] if choice != {"type": "null"})
        return other, True
    if isinstance(schema.get("type"), list):
        (other_type,) = (name for name in schema["type"] if name != "null")
        return {**schema, "type": other_type}, True
    return schema, False
