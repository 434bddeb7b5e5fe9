"""Dates in lists do not depend on the DateStyle of the server or the database."""

import pytest
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

DUE_DATES = ["2026-11-30", "2026-12-24", "2027-01-02"]


@pytest.fixture
def database(database):
    """A database whose new connections write 24.12.2026, unless their role has another style."""
    database.rows("""
        DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET datestyle = German', current_database()); END $$
    """)
    return database


@pytest.mark.parametrize("order_by", ["due_date", "updated_at"])
async def test_pages_are_those_of_any_date_style(system, sonu, database, order_by):
    """Each page has its task with its due date, and the token of the next page."""
    assert await database.execute("SELECT CAST(date '2026-12-24' AS text)") == [("24.12.2026",)]
    for due_date in DUE_DATES:
        task = task_pb2.Task(title=due_date, due_date=due_date)
        await system.tasks.CreateTask(task_service_pb2.CreateTaskRequest(task=task), metadata=sonu.metadata)
    request = task_service_pb2.ListTasksRequest(order_by=order_by, page_size=1)
    listed = []
    for _ in DUE_DATES:
        page = await system.tasks.ListTasks(request, metadata=sonu.metadata)
        listed += [(task.title, task.due_date) for task in page.tasks]
        request.page_token = page.next_page_token
    assert listed == [(due_date, due_date) for due_date in DUE_DATES]
    assert request.page_token == ""
