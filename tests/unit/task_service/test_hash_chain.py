"""Validity of the next block of a chain, also for forged blocks with a correct hash."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from task_service.history.domain.event_log import LogPosition
from task_service.history.domain.hash_chain import GENESIS_HASH, Block, ChainHead, TrustedHead

EVENTS = [UUID(int=number) for number in (1, 2, 3)]
MANIFEST = b"".join(event.bytes + bytes(32) for event in EVENTS)
NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
HEAD = ChainHead(4, b"h" * 32, 100, LogPosition(7, UUID(int=9)), NOON)


def block(**fields) -> Block:
    """Return a block after HEAD with some fields replaced and the hash computed from them."""
    valid = Block(5, 3, 103, LogPosition(8, EVENTS[-1]), MANIFEST, 2, HEAD.hash, b"", NOON)._replace(**fields)
    return valid._replace(hash=valid.compute_hash())


def test_valid_block_follows_its_head():
    assert block().follows(HEAD)
    assert block().head() == ChainHead(5, block().hash, 103, LogPosition(8, EVENTS[-1]), NOON)


@pytest.mark.parametrize(
    "fields",
    [
        {"number": 6},
        {"number": 4},
        {"previous_hash": GENESIS_HASH},
        {"event_count": 2, "total_events": 102},
        {"total_events": 104},
        {"position": LogPosition(8, EVENTS[0])},
        {"manifest": MANIFEST[:-1]},
        {"manifest": MANIFEST[:-48]},
        {"manifest": b"", "event_count": 0, "total_events": 100},
    ],
)
def test_forged_block_with_correct_hash_does_not_follow(fields):
    assert not block(**fields).follows(HEAD)


def test_block_hash_depends_on_its_time():
    assert block(sealed_at=NOON.replace(microsecond=1)).hash != block().hash


def test_trusted_head_is_parsed():
    assert TrustedHead.parse(f"42:{'aB' * 32}") == TrustedHead(42, bytes.fromhex("ab" * 32))
