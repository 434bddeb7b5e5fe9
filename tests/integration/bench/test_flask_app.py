"""The Flask application of the side-by-side, on a real server, where its environment is installed."""

import psycopg
import pytest

from chassis.testing.database import temporary_database
from tests.bench.peers.application import CREATE, LIST, open_client
from tests.bench.peers.flask_peer import ENVIRONMENT, open_task_manager, serving
from tests.bench.peers.installation import programs_of


@pytest.fixture(scope="module")
def database_url(postgres):
    with temporary_database(postgres) as url:
        yield url


@pytest.fixture
async def url(database_url, tmp_path):
    programs = programs_of(ENVIRONMENT)
    if not (programs / "gunicorn").exists():
        pytest.skip("the Flask application is not installed: run `make bench-peers`")
    async with serving(programs, database_url, log=tmp_path / "server.log", environment={}) as url:
        yield url


async def test_requests_of_the_bench_succeed(url):
    application = await open_task_manager("Flask", url)
    async with open_client(url) as client:
        for request in application.requests.values():
            response = await client.request(
                request.method, request.path, headers=dict(request.headers), content=request.body
            )
            assert response.is_success


async def test_task_and_its_history_row_are_written_together(url, database_url):
    application = await open_task_manager("Flask", url)
    create = application.requests[CREATE]
    async with open_client(url) as client:
        task = (await client.post(create.path, headers=dict(create.headers), content=create.body)).json()
    with psycopg.connect(database_url) as connection:
        query = "SELECT action, changes FROM history_events WHERE task_id = %s"
        assert connection.execute(query, [task["id"]]).fetchall() == [("created", task)]


async def test_other_users_tasks_are_hidden(url):
    application = await open_task_manager("Flask", url)
    headers = dict(application.requests[CREATE].headers)
    path = application.requests["get one"].path
    async with open_client(url) as client:
        assert (await client.get(path, headers=headers)).status_code == 404


async def test_requests_without_a_valid_token_are_refused(url):
    application = await open_task_manager("Flask", url)
    request = application.requests[LIST]
    async with open_client(url) as client:
        for authorization in ("", "Bearer", "Bearer nonsense", f"Basic {request.token}"):
            response = await client.get(request.path, headers={"authorization": authorization})
            assert response.status_code == 401


async def test_wrong_values_are_refused(url):
    application = await open_task_manager("Flask", url)
    create = application.requests[CREATE]
    async with open_client(url) as client:
        for wrong in ({}, {"title": ""}, {"title": "a", "status": "done"}, {"title": "a", "due_date": "soon"}):
            assert (await client.post(create.path, headers=dict(create.headers), json=wrong)).status_code == 400
