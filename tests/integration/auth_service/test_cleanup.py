"""Cleanup of expired rows, in bounded transactions."""

from datetime import UTC, datetime

from auth_service.persistence.unit_of_work import SqlAuthUnitOfWork
from auth_service.usecases.cleanup import DeleteExpiredRecords
from chassis.database.pool import open_pool

INSERT_EXPIRED_ROWS = """
    INSERT INTO auth.users (id, username, username_key, email, email_key, password_hash, role, epoch, created_at)
    SELECT uuidv7(), 'u' || i, 'u' || i, 'e' || i, 'e' || i, 'x', 'user', 0, now() FROM generate_series(1, 2500) AS i;
    INSERT INTO auth.sessions (id, user_id, created_at, expires_at, used_at)
    SELECT uuidv7(), id, now(), now() - interval '1 day', now() FROM auth.users;
    INSERT INTO auth.password_resets (user_id, digest, expires_at, issuer_id, issuer_epoch)
    SELECT id, sha256(uuid_send(id)), now() - interval '1 day', id, 0 FROM auth.users;
    INSERT INTO auth.revocations (session_id, expires_at) SELECT id, now() - interval '1 day' FROM auth.users;
    INSERT INTO auth.login_attempts (key, theoretical_arrival_at)
    SELECT uuid_send(id), now() - interval '1 day' FROM auth.users;
    INSERT INTO auth.personal_tokens (id, user_id, name, scopes, digest, created_at, expires_at)
    SELECT uuidv7(), id, 'x', '{tasks:read}', sha256(uuid_send(id)), now(), now() - interval '31 days' FROM auth.users;
"""
INSERT_ENDED_TOKENS = """
    INSERT INTO auth.users (id, username, username_key, email, email_key, password_hash, role, epoch, created_at)
    VALUES (uuidv7(), 'u', 'u', 'e', 'e', 'x', 'user', 0, now());
    INSERT INTO auth.personal_tokens (id, user_id, name, scopes, digest, created_at, expires_at, ended_at)
    SELECT uuidv7(), users.id, name, '{tasks:read}', sha256(name::bytea), now(), now() + expiry, now() + ending
    FROM auth.users, (VALUES
        ('active', interval '1 day', NULL), ('ended', '1 day', interval '-29 days'), ('expired', '-29 days', NULL),
        ('long ended', '1 day', '-31 days'), ('long expired', '-31 days', NULL)
    ) AS tokens (name, expiry, ending)
"""
COUNT_ROWS = """
    SELECT (SELECT count(*) FROM auth.sessions), (SELECT count(*) FROM auth.password_resets),
        (SELECT count(*) FROM auth.revocations), (SELECT count(*) FROM auth.login_attempts),
        (SELECT count(*) FROM auth.personal_tokens)
"""


async def test_expired_records_are_deleted_in_batches(database):
    await database.execute(INSERT_EXPIRED_ROWS)
    remaining = []

    class RecordingUnitOfWork(SqlAuthUnitOfWork):
        """Unit of work that records the numbers of rows after each commit."""

        async def commit(self) -> None:
            await super().commit()
            remaining.extend(await database.execute(COUNT_ROWS))

    async with open_pool(database.auth_url, name="test", size=1) as pool:
        delete_expired = DeleteExpiredRecords(begin=lambda: RecordingUnitOfWork(pool), now=lambda: datetime.now(UTC))
        assert await delete_expired() == 5 * 2500
    assert remaining == [(1500,) * 5, (500,) * 5, (0,) * 5]


async def test_ended_tokens_stay_for_thirty_days(database):
    """The use of a token is recorded under its id for thirty days after its end. An active token stays."""
    await database.execute(INSERT_ENDED_TOKENS)
    async with open_pool(database.auth_url, name="test", size=1) as pool:
        await DeleteExpiredRecords(begin=lambda: SqlAuthUnitOfWork(pool), now=lambda: datetime.now(UTC))()
    names = await database.execute("SELECT name FROM auth.personal_tokens ORDER BY name")
    assert names == [("active",), ("ended",), ("expired",)]
