"""The value rules and the errors that the contract states agree with the services and with the comments of the rpcs."""

import re
from importlib.resources import files

import pytest
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.rpc import code_pb2
from taskmanager.auth.v1 import (
    auth_service_pb2,
    security_event_service_pb2,
    service_account_service_pb2,
    token_service_pb2,
    user_pb2,
    user_service_pb2,
)
from taskmanager.imports.v1 import import_ingest_service_pb2, import_pb2, import_service_pb2, upload_options_pb2
from taskmanager.options.v1 import options_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_pb2, task_service_pb2
from taskmanager.trust.v1 import trust_service_pb2

from auth_service.domain import passwords, personal_tokens, service_accounts
from auth_service.domain.accounts import MAX_EMAIL_CHARACTERS, MAX_USERNAME_CHARACTERS
from gateway.transcoding.openapi.comments import parse_comments
from task_service.idempotency.key_from_proto import MAX_KEY_CHARACTERS
from task_service.imports.domain.options.row_options import MAX_LABEL_SEPARATOR_CHARACTERS
from task_service.imports.domain.options.upload_options import MAX_FILE_NAME_CHARACTERS
from task_service.tasks.domain import task_query, values

FILES = (
    auth_service_pb2,
    user_service_pb2,
    service_account_service_pb2,
    security_event_service_pb2,
    token_service_pb2,
    user_pb2,
    task_service_pb2,
    history_service_pb2,
    task_pb2,
    import_service_pb2,
    import_ingest_service_pb2,
    import_pb2,
    upload_options_pb2,
    trust_service_pb2,
)
METHODS = [
    method for file in FILES for service in file.DESCRIPTOR.services_by_name.values() for method in service.methods
]
COMMENTS = parse_comments(files("taskmanager").joinpath("contract.binpb").read_bytes())
CODES = frozenset(code_pb2.Code.keys()) - {"OK"}

# Length and number of items that the services accept, by field.
LIMITS = {
    "RegisterRequest.username": (MAX_USERNAME_CHARACTERS, 0),
    "UpdateCurrentUserRequest.username": (MAX_USERNAME_CHARACTERS, 0),
    "RegisterRequest.email": (MAX_EMAIL_CHARACTERS, 0),
    "UpdateCurrentUserRequest.email": (MAX_EMAIL_CHARACTERS, 0),
    "RegisterRequest.password": (passwords.MAX_PASSWORD_BYTES, 0),
    "ResetPasswordRequest.new_password": (passwords.MAX_PASSWORD_BYTES, 0),
    "ChangePasswordRequest.new_password": (passwords.MAX_PASSWORD_BYTES, 0),
    "CreateTokenRequest.name": (personal_tokens.MAX_NAME_CHARACTERS, 0),
    "CreateTokenRequest.scopes": (0, len(personal_tokens.TokenScope)),
    "CreateServiceAccountRequest.name": (service_accounts.MAX_NAME_CHARACTERS, 0),
    "Task.title": (values.MAX_TITLE_CHARACTERS, 0),
    "Task.description": (values.MAX_DESCRIPTION_CHARACTERS, 0),
    "Task.labels": (values.MAX_LABEL_CHARACTERS, values.MAX_LABELS),
    "Task.external_id": (values.MAX_EXTERNAL_ID_CHARACTERS, 0),
    "ListTasksRequest.q": (task_query.MAX_QUERY_CHARACTERS, 0),
    "ExportTasksRequest.q": (task_query.MAX_QUERY_CHARACTERS, 0),
    "ListTasksRequest.ids": (0, task_query.MAX_IDS),
    "ExportTasksRequest.ids": (0, task_query.MAX_IDS),
    "UploadOptions.file_name": (MAX_FILE_NAME_CHARACTERS, 0),
    "UploadOptions.label_separator": (MAX_LABEL_SEPARATOR_CHARACTERS, 0),
}


def messages_in(parent: Descriptor) -> list[Descriptor]:
    return [parent, *(message for child in parent.nested_types for message in messages_in(child))]


FIELDS = [
    field
    for file in FILES
    for top in file.DESCRIPTOR.message_types_by_name.values()
    for message in messages_in(top)
    for field in message.fields
]


def test_value_rules_agree_with_the_services():
    """The contract states the lengths and list sizes that the services enforce, and no others."""
    stated = {}
    for field in FIELDS:
        rule = field.GetOptions().Extensions[options_pb2.value_rule]
        if (rule.max_length or rule.max_items) and field.name != "idempotency_key":
            stated[field.full_name.split(".v1.")[1]] = (rule.max_length, rule.max_items)
    assert stated == LIMITS


def test_every_idempotency_key_has_the_rule_of_the_service():
    rules = [
        field.GetOptions().Extensions[options_pb2.value_rule] for field in FIELDS if field.name == "idempotency_key"
    ]
    assert rules
    assert {(rule.min_length, rule.max_length) for rule in rules} == {(1, MAX_KEY_CHARACTERS)}


def codes_named_by(method: MethodDescriptor) -> set[str]:
    """Return the codes in the comment of an rpc and of the rpcs to which it refers, as in "Errors: as CreateTask"."""
    comment = COMMENTS.get(method.full_name)
    others = {
        name
        for reference in re.findall(r"\b[Ee]rrors: as ([^.;,]*)", comment)
        for name in re.findall(r"[A-Z]\w+", reference)
    }
    named = {code for code in CODES if re.search(rf"\b{code}\b", comment)}
    return named.union(*(codes_named_by(method.containing_service.methods_by_name[name]) for name in others))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_errors_option_repeats_the_comment(method):
    """The errors option of an rpc has exactly the codes that its comment names."""
    option = method.GetOptions().Extensions[options_pb2.errors]
    assert {code_pb2.Code.Name(code) for code in option.codes} == codes_named_by(method)
