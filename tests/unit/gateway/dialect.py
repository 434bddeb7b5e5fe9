"""How these tests read and write JSON in the gateway's dialect."""

import json

import pytest
from taskmanager.auth.v1 import auth_service_pb2
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import task_service_pb2

from gateway.transcoding.bind import RequestBinder
from gateway.transcoding.decode import Decoders
from gateway.transcoding.encode import Encoders, to_json
from gateway.transcoding.http_rules import Binding, parse_template
from gateway.transcoding.parse import parse_json
from gateway.transcoding.violations import InvalidRequest, Violations

CREATE = task_service_pb2.CreateTaskRequest.DESCRIPTOR
create_task = RequestBinder(Binding("POST", parse_template("/tasks"), "task"), CREATE, Decoders())
REGISTER = auth_service_pb2.RegisterRequest.DESCRIPTOR
register = RequestBinder(Binding("POST", parse_template("/register/{email}"), "*"), REGISTER, Decoders())


def encoded(message):
    return json.loads(to_json(Encoders().of(message.DESCRIPTOR)(message)))


def task_from(body):
    request = create_task((), b"", json.dumps(body).encode())
    assert isinstance(request, task_service_pb2.CreateTaskRequest)
    return request.task


def refusals(body, bind=create_task, values=()):
    with pytest.raises(InvalidRequest) as refused:
        bind(values, b"", body if isinstance(body, bytes) else json.dumps(body).encode())
    return [(violation.reason, violation.field) for violation in refused.value.violations]


def decode_import(value):
    violations = Violations()
    fields = Decoders().of(import_pb2.Import.DESCRIPTOR).fields(parse_json(json.dumps(value).encode()), "", violations)
    violations.settle()
    return import_pb2.Import(**fields)
