"""Builder of small contracts for tests."""

from itertools import count

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from taskmanager.options.v1 import options_pb2

_package_numbers = count()
_FIELD = descriptor_pb2.FieldDescriptorProto


def build_service(
    rule: http_pb2.HttpRule | None,
    *,
    public: bool = True,
    client_streaming: bool = False,
    field_type: int = _FIELD.TYPE_STRING,
    file_name: str = "",
) -> ServiceDescriptor:
    """Build a service Odd with one rpc Do.

    The fields of its request: id is a string, names are strings, part is a Part, and odd has the given type.
    """
    package = f"odd{next(_package_numbers)}"
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    file.message_type.add(name="Part").field.add(
        name="title", number=1, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL
    )
    request = file.message_type.add(name="Request")
    request.field.add(name="id", number=1, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    request.field.add(name="names", number=2, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_REPEATED)
    request.field.add(
        name="part", number=3, type=_FIELD.TYPE_MESSAGE, type_name=f".{package}.Part", label=_FIELD.LABEL_OPTIONAL
    )
    request.field.add(name="odd", number=4, type=field_type, label=_FIELD.LABEL_OPTIONAL)
    method = file.service.add(name="Odd").method.add(
        name="Do",
        input_type=f".{package}.Request",
        output_type=f".{package}.Part",
        client_streaming=client_streaming,
    )
    if rule is not None:
        method.options.Extensions[annotations_pb2.http].CopyFrom(rule)
    if public:
        method.options.Extensions[options_pb2.access].public = True
    if file_name:
        method.options.Extensions[options_pb2.file_name] = file_name
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    return pool.FindServiceByName(f"{package}.Odd")
