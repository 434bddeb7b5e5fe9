"""Helpers that encode and decode JSON."""

import json

import pytest
from taskmanager.auth.v1 import auth_service_pb2
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import task_service_pb2

from gateway.transcoding.http.http_rules import Binding, parse_template
from gateway.transcoding.http.request_binder import RequestBinder
from gateway.transcoding.json_codec.decoder import Decoders
from gateway.transcoding.json_codec.encoder import Encoders, to_json
from gateway.transcoding.json_codec.parser import parse_json
from gateway.transcoding.violations import InvalidRequest, Violations

_CREATE_TASK = task_service_pb2.CreateTaskRequest.DESCRIPTOR
create_task = RequestBinder(Binding("POST", parse_template("/tasks"), "task"), _CREATE_TASK, Decoders())
_REGISTER = auth_service_pb2.RegisterRequest.DESCRIPTOR
register = RequestBinder(Binding("POST", parse_template("/register/{email}"), "*"), _REGISTER, Decoders())


def encode(message):
    return json.loads(to_json(Encoders().get(message.DESCRIPTOR)(message)))


def decode_task(body):
    request = create_task((), b"", json.dumps(body).encode())
    assert isinstance(request, task_service_pb2.CreateTaskRequest)
    return request.task


def violations_of(body, bind=create_task, values=()):
    """Return the reason and the field of each violation that binding the body raises."""
    with pytest.raises(InvalidRequest) as raised:
        bind(values, b"", body if isinstance(body, bytes) else json.dumps(body).encode())
    return [(violation.reason, violation.field) for violation in raised.value.violations]


def decode_import(value):
    violations = Violations()
    fields = Decoders().get(import_pb2.Import.DESCRIPTOR).fields(parse_json(json.dumps(value).encode()), "", violations)
    violations.raise_if_any()
    return import_pb2.Import(**fields)
