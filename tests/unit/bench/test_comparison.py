"""Verdict about two applications that ran in turn."""

from tests.bench.peers.comparison import Comparison
from tests.bench.peers.wrk import Load


def comparison(ours: list[float], theirs: list[float], *, errors: int = 0, goal: float | None = 2.0) -> Comparison:
    return Comparison(
        peer="Flask",
        operation="list 50",
        ours=[Load(rate, requests=100, errors=0) for rate in ours],
        theirs=[Load(rate, requests=100, errors=errors) for rate in theirs],
        our_bytes=100,
        their_bytes=100,
        goal=goal,
    )


def test_ratio_is_the_median_of_the_rounds():
    """A round in which the machine was slower for both does not count more than the others."""
    assert comparison([210, 200, 180], [70, 100, 90]).ratio == 2.0


def test_verdict_compares_the_ratio_with_the_goal():
    assert comparison([200, 200], [100, 100]).verdict == "met"
    assert comparison([199, 199], [100, 100]).verdict == "not met"


def test_no_verdict_without_a_goal():
    result = comparison([200, 200], [100, 100], goal=None)
    assert (result.verdict, result.is_met) == ("", None)


def test_no_verdict_when_our_rates_spread():
    """The rates of one application differ by a third of their median: the machine was busy."""
    result = comparison([300, 300, 400], [100, 100, 100])
    assert result.verdict == "no verdict: the rates of ours spread over 33%"
    assert result.is_met is None


def test_no_verdict_when_the_rates_of_the_peer_spread():
    assert "the rates of Flask spread over 40%" in comparison([300, 300, 300], [80, 100, 120]).verdict


def test_a_spread_of_thirty_percent_is_allowed():
    assert comparison([300, 300, 300], [85, 100, 115]).is_met


def test_no_verdict_from_one_round():
    """Nothing tells how much the rates differ from round to round."""
    assert comparison([300], [100]).verdict == "no verdict: one round has no spread"


def test_no_verdict_after_errors():
    """Errors are cheaper than responses, so the rate means nothing."""
    result = comparison([300, 300], [100, 100], errors=2)
    assert result.verdict == "no verdict: 4 errors of Flask"
    assert result.to_json()["is_met"] is None
