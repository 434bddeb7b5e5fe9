"""Sources of imports: recognition by the header line, and the options of a source below those of the caller."""

import json

import pytest
from taskmanager.imports.v1 import import_service_pb2

from tests.integration.task_service.import_calls import get, upload
from tests.support.grpc_calls import expect_failure

Options = import_service_pb2.UploadOptions
JIRA = b"Summary,Issue key,Due date,Labels,Labels,Custom field (Rank)\na,WEB-1,,x,y,1\n"
TICKTICK = (
    '"Date: 2026-11-20+0000"\n"Version: 7.1"\n"Status: \n0 Normal\n1 Completed\n2 Archived"\n'
    '"Folder Name","List Name","Title","Status","Created Time","Completed Time","taskId"\n'
    '"","Inbox","a","0","","","1"\n'
)


async def test_source_is_recognised_by_the_header_line(system):
    """The import says which source was taken, and names the columns that the source does not know."""
    sonu = await system.new_user("sonu")
    found = await get(system, sonu, (await upload(system, sonu, JIRA)).id)
    assert (found.source_detected, found.options.source) == ("jira", "jira")
    assert found.options.on_unknown_assignee == Options.ON_UNKNOWN_ASSIGNEE_LEAVE_EMPTY
    assert json.loads(found.options.mapping) == {
        "Summary": "title",
        "Issue key": "external_id",
        "Due date": "due_date",
        "Labels": "labels",
    }
    assert list(found.warnings) == ["The column 'Custom field (Rank)' is not used."]


async def test_options_of_the_caller_override_those_of_the_source(system):
    sonu = await system.new_user("sonu")
    found = await upload(
        system,
        sonu,
        JIRA,
        source="Jira",
        on_unknown_assignee=Options.ON_UNKNOWN_ASSIGNEE_FAIL,
        mapping='{"Custom field (Rank)": "external_id", "#4": null}',
    )
    assert (found.source_detected, found.options.source) == ("", "jira")
    assert found.options.on_unknown_assignee == Options.ON_UNKNOWN_ASSIGNEE_FAIL
    mapping = json.loads(found.options.mapping)
    assert (mapping["Custom field (Rank)"], mapping["#4"], mapping["#5"]) == ("external_id", None, "labels")
    assert "Issue key" not in mapping


async def test_next_column_of_a_field_replaces_a_mapped_one(system):
    """A source may know several columns for a field. If the caller ignores the first one, the next one fills it."""
    sonu = await system.new_user("sonu")
    file = b"Summary,Issue key,Key\na,WEB-1,1\n"
    found = await upload(system, sonu, file, source="jira", mapping='{"Issue key": null}')
    assert json.loads(found.options.mapping) == {"Summary": "title", "Issue key": None, "Key": "external_id"}


async def test_recognition_can_be_switched_off(system):
    sonu = await system.new_user("sonu")
    found = await upload(system, sonu, JIRA, source="none")
    assert (found.source_detected, found.options.source, found.options.mapping) == ("", "none", "")


@pytest.mark.parametrize("options", [{}, {"source": "ticktick"}, {"source": "ticktick", "mapping": "labels:List Name"}])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_header_line_is_found_below_lines_of_text(system, options, encoding):
    """`header_row` of the import is the physical line."""
    sonu = await system.new_user("sonu")
    found = await upload(system, sonu, TICKTICK.encode(encoding), **options)
    assert (found.options.source, found.options.header_row) == ("ticktick", 7)


@pytest.mark.parametrize(
    ("data", "options", "reason"),
    [
        (b"a,b\n" * 39 + JIRA, {"source": "none"}, "MISSING_TITLE_COLUMN"),
        (b"a,b\n" * 40 + JIRA, {}, "MISSING_TITLE_COLUMN"),
        (b"a,b\n" * 40 + JIRA, {"source": "jira"}, "SOURCE_COLUMNS_MISSING"),
        (b"a,b\n" * 3 + JIRA, {"source": "asana"}, "SOURCE_COLUMNS_MISSING"),
        (b"a,b\n" * 3 + JIRA, {"header_row": 2}, "MISSING_TITLE_COLUMN"),
    ],
)
async def test_file_without_a_header_line_is_refused(system, data, options, reason):
    sonu = await system.new_user("sonu")
    failure = await expect_failure(upload(system, sonu, data, **options))
    assert failure.reason == reason


async def test_header_line_of_two_sources_is_not_recognised(system):
    sonu = await system.new_user("sonu")
    found = await upload(system, sonu, JIRA.replace(b"Summary", b"Summary,Card ID,Card Name,Card URL,List Name"))
    assert (found.source_detected, found.options.source) == ("", "")


async def test_sources_are_listed_with_their_options(system):
    """Each source's options can be sent with an upload as they are."""
    sonu = await system.new_user("sonu")
    request = import_service_pb2.ListImportSourcesRequest()
    sources = (await system.imports.ListImportSources(request, metadata=sonu.metadata)).sources
    assert [source.name for source in sources] == [
        "asana",
        "clickup",
        "github",
        "gitlab",
        "jira",
        "kanboard",
        "linear",
        "notion",
        "outlook",
        "planner",
        "taskmanager",
        "ticktick",
        "todoist",
        "trello",
    ]
    for source in sources:
        columns = list(source.columns) or ["Name"]
        found = await upload(system, sonu, ",".join(columns).encode() + b"\nx\n")
        assert found.options.source == (source.name if source.columns else "")
        assert source.title
        assert source.export
