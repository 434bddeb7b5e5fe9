"""Limits that are set in different rooms and must fit each other."""

from taskmanager.tasks.v1 import task_service_pb2

from auth_service.usecases.users import NAMED_AT_MOST
from chassis.rpc.server import OPTIONS
from gateway.settings import GatewaySettings
from gateway.transcoding.dialect import item_limit_of
from task_service.clients.user_directory import MAX_USERNAMES_PER_CALL
from task_service.settings import TasksSettings
from task_service.tasks.domain.errors import TooManyInBatch
from task_service.tasks.usecases.batches import MOST_IN_BATCH


def default(settings: type[GatewaySettings | TasksSettings], name: str) -> float:
    return float(settings.model_fields[name].default)


def test_an_upload_is_not_cut_for_the_age_of_its_connection_before_its_own_time_is_over():
    grace = dict(OPTIONS)["grpc.max_connection_age_grace_ms"] / 1000
    assert grace >= default(TasksSettings, "max_upload_seconds")


def test_the_gateway_and_task_service_take_files_of_the_same_size():
    assert default(GatewaySettings, "max_upload_bytes") == default(TasksSettings, "max_upload_bytes")


def test_the_contract_and_task_service_take_batches_of_the_same_size_and_refuse_larger_ones_in_the_same_word():
    fields = [
        field for message in task_service_pb2.DESCRIPTOR.message_types_by_name.values() for field in message.fields
    ]
    limits = {field.full_name.rsplit(".", 2)[1]: limit for field in fields if (limit := item_limit_of(field))}
    assert limits.keys() == {"BatchCreateTasksRequest", "BatchUpdateTasksRequest", "BatchDeleteTasksRequest"}
    said = {(limit.most, limit.reason) for limit in limits.values()}
    assert said == {(MOST_IN_BATCH, TooManyInBatch.reason)}


def test_task_service_asks_for_as_many_names_at_once_as_auth_service_takes():
    assert MAX_USERNAMES_PER_CALL == NAMED_AT_MOST
