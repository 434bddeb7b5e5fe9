"""Limits that several packages define and that must agree."""

from taskmanager.tasks.v1 import task_service_pb2

from auth_service.usecases.users import MAX_BATCH_SIZE as MAX_IDENTIFIERS_IN_AUTH_SERVICE
from chassis.rpc.server import OPTIONS
from gateway.settings import GatewaySettings
from gateway.transcoding.json_codec.json_mapping import item_limit_of
from task_service.clients.user_directory import MAX_IDENTIFIERS_PER_CALL
from task_service.settings import TasksSettings
from task_service.tasks.domain.batches import MAX_BATCH_SIZE
from task_service.tasks.domain.errors import TooManyInBatch


def default(settings: type[GatewaySettings | TasksSettings], name: str) -> float:
    return float(settings.model_fields[name].default)


def test_connection_age_grace_exceeds_upload_time():
    """gRPC does not end an upload by the age of its connection before unfinished uploads are deleted."""
    grace = dict(OPTIONS)["grpc.max_connection_age_grace_ms"] / 1000
    assert grace >= default(TasksSettings, "unfinished_upload_retention_seconds")


def test_upload_size_limits_agree():
    """The gateway and task_service accept files of the same size."""
    assert default(GatewaySettings, "max_upload_bytes") == default(TasksSettings, "max_upload_bytes")


def test_batch_size_limits_agree():
    """The contract and task_service limit batches to the same size and refuse larger ones with the same reason."""
    fields = [
        field for message in task_service_pb2.DESCRIPTOR.message_types_by_name.values() for field in message.fields
    ]
    limits = {field.full_name.rsplit(".", 2)[1]: limit for field in fields if (limit := item_limit_of(field))}
    assert limits.keys() == {f"Batch{verb}TasksRequest" for verb in ("Get", "Create", "Update", "Upsert", "Delete")}
    from_contract = {(limit.max_items, limit.reason) for limit in limits.values()}
    assert from_contract == {(MAX_BATCH_SIZE, TooManyInBatch.reason)}


def test_user_lookup_batch_limits_agree():
    """task_service asks for as many usernames or emails in one call as auth_service accepts."""
    assert MAX_IDENTIFIERS_PER_CALL == MAX_IDENTIFIERS_IN_AUTH_SERVICE
