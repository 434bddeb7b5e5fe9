"""Text that is hard to handle."""

LONG = "x" * 10_000
FAMILY = "👨\u200d👩\u200d👧\u200d👦 e\u0301"
RIGHT_TO_LEFT = "\u202bשלום\u200f العالم\u202c!"  # noqa: RUF001 - the letters are meant
