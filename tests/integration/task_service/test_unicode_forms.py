"""Unicode normalization: one external_id and one label for all spellings, and texts as they were sent."""

from unicodedata import normalize

import grpc
import pytest

from tests.integration.task_service.calls import create, get, list_ids, update
from tests.integration.task_service.duplicate_imports import FAIL, UPDATE, counts, run_import
from tests.integration.task_service.import_calls import get as get_import
from tests.support.grpc_calls import expect_failure

NFC, NFD = normalize("NFC", "Café"), normalize("NFD", "Café")
SPELLINGS = [(NFC, NFD), (NFD, NFC)]


@pytest.mark.parametrize(("first", "second"), SPELLINGS)
async def test_two_spellings_are_one_external_id(system, sonu, first, second):
    """The second spelling is taken for new tasks and for changed ones."""
    task = await create(system, sonu, title="x", external_id=first)
    other = await create(system, sonu, title="x")
    assert task.external_id == NFC
    for call in (
        create(system, sonu, title="x", external_id=second),
        update(system, sonu, other.id, external_id=second),
    ):
        assert (await expect_failure(call))[:2] == (grpc.StatusCode.ALREADY_EXISTS, "EXTERNAL_ID_TAKEN")
    assert await update(system, sonu, task.id, external_id=second) == task


@pytest.mark.parametrize(("first", "second"), SPELLINGS)
async def test_import_knows_both_spellings_of_an_external_id(system, sonu, worker, first, second):
    """A row finds the task of CreateTask or of an earlier row, in either spelling."""
    task = await create(system, sonu, title="old", external_id=first)
    refusing = await run_import(
        system, sonu, worker, [[second, "new"], ["B" + first, "b"]], [["B" + second, "c"]], on_duplicate=FAIL
    )
    assert counts(refusing) == (1, 0, 0, 0, 2)
    updating = await run_import(system, sonu, worker, [[second, "new"]], on_duplicate=UPDATE)
    assert counts(updating) == (0, 1, 0, 0, 0)
    assert ((await get(system, sonu, task.id)).title, (await get_import(system, sonu, updating.id)).rows_updated) == (
        "new",
        1,
    )
    created = await run_import(system, sonu, worker, [["C" + second, "c"]])
    assert counts(created) == (1, 0, 0, 0, 0)
    assert (await expect_failure(create(system, sonu, title="c", external_id="C" + first)))[1] == "EXTERNAL_ID_TAKEN"


@pytest.mark.parametrize(("first", "second"), SPELLINGS)
async def test_labels_match_in_both_spellings(system, sonu, worker, first, second):
    task = await create(system, sonu, title="x", labels=[first, second])
    assert task.labels == [NFC]
    await run_import(system, sonu, worker, [[first, "imported"]], header=["labels", "title"])
    for fields in ({"labels_any": [second]}, {"labels_all": [second]}):
        assert len(await list_ids(system, sonu, **fields)) == 2


@pytest.mark.parametrize(("first", "second"), SPELLINGS)
async def test_search_finds_both_spellings_of_a_text(system, sonu, first, second):
    """Titles and descriptions stay as sent, and a word finds them in either spelling."""
    in_title = await create(system, sonu, title=f"{first} 1% open")
    in_description = await create(system, sonu, title="x", description=f"the {first} 1%")
    assert (in_title.title, in_description.description) == (f"{first} 1% open", f"the {first} 1%")
    for q in (first, second, second.upper(), f"1% {second}", f"{first} {second} {first.upper()}"):
        assert await list_ids(system, sonu, q=q) == [in_description.id, in_title.id]
    assert await list_ids(system, sonu, q=f"{second} open") == [in_title.id]
    assert await list_ids(system, sonu, q=f"{second} {normalize('NFD', 'ü')}") == []
