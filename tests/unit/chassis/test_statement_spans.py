"""Names of the spans of SQL statements."""

import pytest

from chassis.database.tracing import describe_statement

STATEMENTS = {
    "BEGIN READ ONLY; SET LOCAL statement_timeout = '3s'": "BEGIN",
    "SELECT id FROM tasks.tasks WHERE title = 'FROM auth.users'": "SELECT tasks.tasks",
    "\n    INSERT INTO auth.users (id) VALUES (%(id)s)": "INSERT auth.users",
    "WITH next AS (SELECT id FROM tasks.imports) UPDATE tasks.imports SET state = ''": "UPDATE tasks.imports",
    "WITH found AS (SELECT 1 FROM tasks.tasks) SELECT * FROM found": "SELECT tasks.tasks",
    'COPY "tasks"."task_events" ("id") FROM STDIN (FORMAT binary)': "COPY tasks.task_events",
    "SELECT pg_notify('imports', %(import_id)s)": "SELECT pg_notify",
    "": "SQL",
}


@pytest.mark.parametrize("text", STATEMENTS)
def test_summary_has_verb_and_table(text):
    """The summary is the verb and the first table, and nothing that a statement could hold as a value."""
    attributes = describe_statement(text)
    assert attributes["db.query.summary"] == STATEMENTS[text]
    assert attributes["db.operation.name"] == STATEMENTS[text].split()[0]
