-- The tasks with the numbers from first to last. The modules dataset and fill describe the parameters.
INSERT INTO tasks.tasks (
    id, owner_id, title, description, status, priority, due_date, labels, external_id, assignee_id, import_id, created_at,
    updated_at, completed_at, deleted_at, purge_at, revision
)
SELECT
    -- A UUIDv7: 48 bits of milliseconds, the version, 12 random bits, the variant, 60 random bits.
    CAST(lpad(to_hex(ms), 12, '0') || '7' || substr(random, 9, 3) || '8' || substr(random, 12, 15) AS uuid),
    owner_id,
    -- The title's words are the same for many tasks; its end is not.
    (ARRAY['Call', 'Write to', 'Visit', 'Pay', 'Remind'])[1 + value % 5]
        || CASE WHEN value % 10 = 3 THEN ' the supplier about the invoice ' ELSE ' the customer about the order ' END
        || substr(random, 1, 6) || CASE WHEN rare > 0 THEN ' for the zeppelin' ELSE '' END,
    'As agreed in the meeting, item ' || value || '. The documents are in the folder ' || random
        || ', and the numbers of last year are in the other one. Please reply before the end of the month.',
    CASE WHEN rare IN (1, 3) THEN 'cancelled' WHEN rare = 2 OR value % 10 > 5 THEN 'completed' ELSE 'pending' END,
    CASE WHEN rare > 0 THEN 'urgent' ELSE (ARRAY['none', 'medium', 'high'])[1 + value % 3] END,
    CASE
        WHEN rare IN (1, 2) THEN DATE '2001-01-01' + CAST(rare AS integer)
        WHEN rare = 3 THEN DATE '2099-01-01'
        WHEN value % 5 > 0 THEN CAST(created_at AS date) + 10 + CAST(value % 50 AS integer)
    END,
    CASE
        WHEN rare = 2 THEN ARRAY['backend', 'rare']
        WHEN rare > 0 THEN ARRAY['rare']
        WHEN value % 2 = 0 THEN ARRAY['backend', 'team-' || value % 20]
        ELSE ARRAY[(ARRAY['frontend', 'ops'])[1 + value % 4 / 2]]
    END,
    CASE WHEN rare > 0 THEN 'RARE-' || rare WHEN position % 3 = 0 THEN 'EXT-' || position ELSE '' END,
    CASE
        WHEN rare > 0 THEN CAST({assignee_id} AS uuid)
        WHEN owner IN (0, -1) AND position % 10 = 3 THEN owner_id
        WHEN number % 100 = 13 AND owner >= 0 THEN CAST({large_id} AS uuid)
        WHEN owner = 1 AND position < 40 THEN CAST({small_id} AS uuid)
        WHEN number % 20 = 7 THEN CAST(md5('owner' || number % {small_owners}) AS uuid)
    END,
    CASE
        WHEN NOT can_call THEN NULL
        WHEN position >= owned / 4 AND position < owned / 4 * 3 THEN CAST(md5(CAST(owner_id AS text) || 'many') AS uuid)
        WHEN position >= owned - 3 THEN CAST(md5(CAST(owner_id AS text) || 'few') AS uuid)
    END,
    created_at,
    changed_at,
    CASE WHEN rare = 2 OR rare = 0 AND value % 10 > 5 THEN changed_at END,
    CASE WHEN is_deleted THEN changed_at END,
    CASE WHEN is_deleted THEN now() + INTERVAL '10 years' END,
    1
FROM (
    SELECT
        *,
        to_timestamp(ms / 1000.0) AS created_at,
        CASE
            WHEN rare > 0 THEN to_timestamp(({rare_change_ms} + rare * 1000) / 1000.0)
            ELSE to_timestamp(ms / 1000.0) + INTERVAL '1 second' * (value % 3600)
        END AS changed_at,
        rare = 0 AND position % 50 = 7 AS is_deleted
    FROM (
        SELECT
            *,
            CAST(CAST('x' || substr(random, 1, 7) AS bit(28)) AS integer) AS value,
            CASE WHEN NOT can_call THEN 0 WHEN position * 4 % owned = 0 THEN position * 4 / owned ELSE 0 END AS rare
        FROM (
            SELECT
                *,
                {start_ms} + number * {step_ms} AS ms,
                md5(CAST(number AS text)) AS random,
                CASE owner
                    WHEN 0 THEN CAST({small_id} AS uuid)
                    WHEN -1 THEN CAST({large_id} AS uuid)
                    WHEN -2 THEN CAST({old_id} AS uuid)
                    WHEN -3 THEN CAST({new_id} AS uuid)
                    ELSE CAST(md5('owner' || owner) AS uuid)
                END AS owner_id,
                owner <= 0 AS can_call,
                CASE WHEN owner = -1 THEN {tasks} / 5 ELSE {owned_by_small} END AS owned
            FROM (
                SELECT
                    number,
                    CASE
                        WHEN number < 0 THEN -2
                        WHEN number >= {tasks} THEN -3
                        WHEN number % {block} % 5 = 4 THEN -1
                        ELSE number % {block} / 5 * 4 + number % {block} % 5
                    END AS owner,
                    CASE
                        WHEN number < 0 THEN number + {owned_by_small}
                        WHEN number >= {tasks} THEN number - {tasks}
                        WHEN number % {block} % 5 = 4
                            THEN number / {block} * ({block} / 5) + number % {block} / 5
                        ELSE number / {block}
                    END AS position
                FROM generate_series(CAST({first} AS bigint), CAST({last} AS bigint)) AS number
            ) AS numbered
        ) AS owned
    ) AS valued
) AS task
