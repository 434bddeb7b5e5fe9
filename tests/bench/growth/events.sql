-- One event for each of the tasks with the numbers from first to last: its creation, by its owner.
INSERT INTO tasks.task_events (
    id, task_id, owner_id, assignee_id, action, actor_id, actor_role, occurred_at, request_id, changes, free_text, salt,
    free_text_digest, revision, transaction_number
)
SELECT
    CAST(left(CAST(id AS text), 15) || substr(random, 1, 3) || '9' || substr(random, 4, 15) AS uuid),
    id,
    owner_id,
    assignee_id,
    'created',
    owner_id,
    'user',
    created_at,
    left(random, 16),
    changes,
    free_text,
    salt,
    sha256(salt || convert_to(free_text, 'UTF8')),
    1,
    1 + (CAST(extract(epoch FROM created_at) * 1000 AS bigint) - {start_ms}) / {step_ms} / 1000
FROM (
    SELECT
        id, owner_id, assignee_id, created_at,
        md5('event' || id) AS random,
        decode(md5('salt' || id), 'hex') AS salt,
        jsonb_build_object(
            'title', NULL, 'description', NULL, 'labels', NULL, 'status', jsonb_build_array('', status),
            'priority', jsonb_build_array('', priority)
        ) AS changes,
        CAST(json_build_object(
            'title', json_build_array('', title), 'description', json_build_array('', description),
            'labels', json_build_array('', array_to_string(labels, ','))
        ) AS text) AS free_text
    FROM tasks.tasks
    WHERE id >= CAST(lpad(to_hex({first_ms}), 12, '0') || repeat('0', 20) AS uuid)
        AND id <= CAST(lpad(to_hex({last_ms}), 12, '0') || repeat('f', 20) AS uuid)
) AS task
