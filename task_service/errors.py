"""Errors of single fields that more than one context raises. A docstring is the message that the client reads."""

from chassis.kernel.errors import Invalid


class ForbiddenCharacter(Invalid):
    """The {field} must not contain the character {character}."""


class UnknownDelimiter(Invalid):
    """Unknown delimiter. Use one of the characters , ; | or the word tab."""

    field = "delimiter"


class MalformedTime(Invalid):
    """A time must be in the years 1 to 9999."""
