"""Count of holders by key."""

from chassis.kernel.holder_counts import HolderCounts


def test_key_leaves_with_its_last_holder():
    """A key without holders takes no memory, and the total counts the holders of all keys."""
    counts = HolderCounts[str]()
    for key in ("a", "b", "a"):
        counts.add(key)
    counts.remove("a")
    assert (counts["a"], counts["b"], counts.total, len(counts)) == (1, 1, 2, 2)
    counts.remove("a")
    assert (counts["a"], counts["b"], counts.total, len(counts)) == (0, 1, 1, 1)
