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
"""
COUNT_ROWS = """
    SELECT (SELECT count(*) FROM auth.sessions), (SELECT count(*) FROM auth.password_resets),
        (SELECT count(*) FROM auth.revocations), (SELECT count(*) FROM auth.login_attempts)
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
        assert await delete_expired() == 4 * 2500
    assert remaining == [(1500,) * 4, (500,) * 4, (0,) * 4]
