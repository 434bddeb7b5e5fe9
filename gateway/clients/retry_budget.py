"""Budget for the repetition of calls that an overloaded service refused."""

_TOKENS_PER_SUCCESS = 0.1
_MAX_TOKENS = 10.0


class RetryBudget:
    """Token bucket, as in gRPC's retry throttling: a success adds a tenth of a token, and a repetition takes one.

    While a service refuses most calls, nearly none is repeated, so that repetitions do not add to its load. A single
    replica that is full while others are not refuses few.
    """

    def __init__(self) -> None:
        self._tokens = _MAX_TOKENS

    def record_success(self) -> None:
        """Count a call that succeeded."""
        self._tokens = min(self._tokens + _TOKENS_PER_SUCCESS, _MAX_TOKENS)

    def take(self) -> bool:
        """Return True and take a token if a call may be repeated."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
