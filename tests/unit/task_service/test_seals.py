"""What can stand behind a seal: forged ones whose own hash is right, too."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from task_service.history.domain.event_log import Place
from task_service.history.domain.hash_chain import NO_HASH, Head, KeptHead, Seal

EVENTS = [UUID(int=number) for number in (1, 2, 3)]
MANIFEST = b"".join(event.bytes + bytes(32) for event in EVENTS)
NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
HEAD = Head(4, b"h" * 32, 100, Place(7, UUID(int=9)), NOON)


def forged(**fields) -> Seal:
    """A seal behind HEAD but for what is given, with the hash that it would have to have."""
    seal = Seal(5, 3, 103, Place(8, EVENTS[-1]), MANIFEST, HEAD.hash, b"", NOON)._replace(**fields)
    return seal._replace(hash=seal.computed_hash())


def test_a_seal_follows_the_one_that_it_was_made_behind():
    assert forged().follows(HEAD)
    assert forged().head() == Head(5, forged().hash, 103, Place(8, EVENTS[-1]), NOON)


@pytest.mark.parametrize(
    "fields",
    [
        {"number": 6},
        {"number": 4},
        {"hash_before": NO_HASH},
        {"events": 2, "events_in_all": 102},
        {"events_in_all": 104},
        {"place": Place(8, EVENTS[0])},
        {"manifest": MANIFEST[:-1]},
        {"manifest": MANIFEST[:-48]},
        {"manifest": b"", "events": 0, "events_in_all": 100},
    ],
)
def test_a_forged_seal_whose_own_hash_is_right_follows_nothing(fields):
    assert not forged(**fields).follows(HEAD)


def test_hash_depends_on_the_time_of_the_block():
    assert forged(sealed_at=NOON.replace(microsecond=1)).hash != forged().hash


def test_a_kept_head_is_read_as_it_is_written():
    assert KeptHead.parse(f"42:{'aB' * 32}") == KeptHead(42, bytes.fromhex("ab" * 32))
