"""States of the import that has the same file, which the service, the REST API and the command-line client name."""

from uuid import uuid4

import pytest
from taskmanager_cli.errors import DuplicateFile as DuplicateFileInCli

from gateway.transcoding.openapi.error_schema import ERROR_SCHEMAS
from task_service.imports.domain.duplicate_file import DuplicateFile, DuplicateImport, DuplicateState


@pytest.mark.parametrize("state", DuplicateState)
def test_every_state_has_an_advice(state):
    """The service and the client name the import, and the OpenAPI document lists the state."""
    import_id = uuid4()
    assert str(import_id) in DuplicateFile(DuplicateImport(import_id, state)).message
    advice = DuplicateFileInCli.ADVICE[state].format(import_id=import_id)
    assert f"{import_id}, {advice}." in str(DuplicateFileInCli(import_id=str(import_id), import_state=state))
    assert f"`{state}`" in ERROR_SCHEMAS["ErrorMetadata"]["description"]


def test_client_knows_no_other_states():
    assert set(DuplicateFileInCli.ADVICE) == set(DuplicateState)
