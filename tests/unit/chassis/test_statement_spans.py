"""Names of the spans of SQL statements."""

import pytest

from chassis.database.tracing import describe_statement

STATEMENTS = {
    "BEGIN READ ONLY; SET LOCAL statement_timeout = '3s'": "BEGIN",
    "SELECT id FROM tasks WHERE title = 'FROM users'": "SELECT tasks",
    "SELECT id FROM tasks.tasks": "SELECT tasks.tasks",
    "\n    INSERT INTO users (id) VALUES (%(id)s)": "INSERT users",
    "WITH next AS (SELECT id FROM imports FOR UPDATE OF i) UPDATE imports SET state = ''": "UPDATE imports",
    "WITH found AS (SELECT 1 FROM tasks), two AS (SELECT 2) SELECT * FROM found": "SELECT tasks",
    "WITH given (id) AS (SELECT 1) SELECT * FROM given JOIN tasks USING (id)": "SELECT tasks",
    "SELECT x FROM unnest(%(ids)s) AS x JOIN tasks USING (id)": "SELECT tasks",
    'COPY "task_events" ("id") FROM STDIN (FORMAT binary)': "COPY task_events",
    "SELECT pg_notify('imports', %(import_id)s)": "SELECT pg_notify",
    "": "SQL",
}


@pytest.mark.parametrize("text", STATEMENTS)
def test_summary_has_verb_and_table(text):
    """The summary is the verb and the first table, and nothing that a statement could hold as a value."""
    attributes = describe_statement(text)
    assert attributes["db.query.summary"] == STATEMENTS[text]
    assert attributes["db.operation.name"] == STATEMENTS[text].split()[0]
