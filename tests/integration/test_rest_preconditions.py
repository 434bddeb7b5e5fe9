"""Entity tags, update masks and custom verbs, through REST to the services and back."""

import pytest

from tests.integration.task_service.calls import create


@pytest.fixture
async def path(system, sonu) -> str:
    task = await create(system, sonu, title="Old", description="d")
    return f"/tasks/{task.id}"


async def test_empty_if_match_is_412(rest, path):
    """The empty tag never matches, and nothing is written. A weak tag is the revision."""
    for method in ("PATCH", "DELETE"):
        response = await rest.request(method, path, headers={"if-match": '""'}, json={"title": "New"})
        assert response.status_code == 412
        assert response.json()["error"]["details"][0]["reason"] == "ETAG_MISMATCH"
    assert (await rest.get(path)).json()["title"] == "Old"
    response = await rest.patch(path, headers={"if-match": 'W/"1"'}, json={"title": "New"})
    assert (response.status_code, response.json()["title"]) == (200, "New")
    response = await rest.patch(path, headers={"if-match": 'W/"1"'}, json={"title": "Newer"})
    assert response.status_code == 412


async def test_other_errors_win_over_if_match(rest):
    """A precondition is checked only if the request would succeed without it (RFC 9110 section 13.2.1)."""
    unknown = "/tasks/018f5c3e-0000-7000-8000-000000000000"
    response = await rest.patch(unknown, headers={"if-match": '""'}, json={"title": "x"})
    assert response.status_code == 404
    response = await rest.patch(unknown, headers={"if-match": '""', "authorization": "Bearer x"}, json={"title": "x"})
    assert response.status_code == 401


async def test_update_mask_star_resets_absent_fields(rest, path):
    response = await rest.patch(f"{path}?update_mask=*", json={"title": "New"})
    assert (response.status_code, response.json()["title"], response.json()["description"]) == (200, "New", "")


async def test_escaped_colon_of_a_verb(rest, path):
    await rest.delete(path)
    assert (await rest.post(f"{path}%3Aundelete")).status_code == 200
    assert (await rest.get("/tasks%3astats")).status_code == 200
