"""Limits that are set in different rooms and must fit each other."""

from chassis.rpc.server import OPTIONS
from gateway.settings import GatewaySettings
from task_service.settings import TasksSettings


def default(settings: type[GatewaySettings | TasksSettings], name: str) -> float:
    return float(settings.model_fields[name].default)


def test_an_upload_is_not_cut_for_the_age_of_its_connection_before_its_own_time_is_over():
    grace = dict(OPTIONS)["grpc.max_connection_age_grace_ms"] / 1000
    assert grace >= default(TasksSettings, "upload_seconds")


def test_the_gateway_and_task_service_take_files_of_the_same_size():
    assert default(GatewaySettings, "max_upload_bytes") == default(TasksSettings, "upload_bytes")
