"""Reasons of domain errors, which clients compare."""

from chassis.kernel.errors import DomainError


class EtagTaken(DomainError):
    """The etag is taken."""


class EtagTakenByRow(EtagTaken, inherits_reason=True):
    """The etag is taken. Change the row."""


class EtagExpired(EtagTakenByRow):
    """The etag has expired."""


def test_reason_is_the_class_name_in_capitals():
    assert EtagTaken.reason == "ETAG_TAKEN"


def test_error_can_inherit_the_reason_of_its_parent():
    """A subclass of such an error has a reason of its own again."""
    assert (EtagTakenByRow.reason, EtagExpired.reason) == ("ETAG_TAKEN", "ETAG_EXPIRED")
