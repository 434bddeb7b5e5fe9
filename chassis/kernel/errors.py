"""Domain errors. They know nothing of gRPC; a table in each service's transport maps them to statuses."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import cleandoc
from itertools import islice
from typing import ClassVar


class StartError(Exception):
    """A problem that stops the start of a process and that only its operator can fix. Its text is one line."""


class DomainError(Exception):
    """The request can't be carried out."""

    # The docstring of a subclass is its message. The keyword arguments become attributes and fill `{name}` in it.
    # Its `field` may get a prefix later, such as requests[3]: the message then still has the name that it began with.
    # The reason is the class name in capitals: BlankTitle is BLANK_TITLE. With inherits_reason=True it is the parent's.

    reason: ClassVar[str] = "DOMAIN_ERROR"
    field: str = ""
    is_retryable_elsewhere: bool = False
    """True: the call was refused before any work, so that it is safe to repeat on another server."""
    retry_after_seconds: float | None = None

    def __init_subclass__(cls, *, inherits_reason: bool = False) -> None:
        super().__init_subclass__()
        if not inherits_reason:
            cls.reason = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).upper()

    def __init__(self, **data: object) -> None:
        for name, value in data.items():
            setattr(self, name, value)
        super().__init__(" ".join(cleandoc(type(self).__doc__ or "").split()).format_map(vars(self)))

    @property
    def message(self) -> str:
        """One sentence that the caller can act on."""
        return str(self)

    @property
    def metadata(self) -> Mapping[str, str]:
        """Facts of the error for programs, which must not read the message."""
        return {}


class Unavailable(DomainError):
    """The service is temporarily unavailable. Try again."""

    retry_after_seconds = 1.0


class ReadOnly(Unavailable):
    """The service accepts no writes at the moment: {operators_reason}"""  # noqa: D400, D415 - the operator's words end it

    retry_after_seconds = 30.0


class Invalid(DomainError):
    """A value is not acceptable."""

    @property
    def violations(self) -> "tuple[Invalid, ...]":
        """Every violation, one error each."""
        return (self,)


class ValidationErrors(Invalid):
    """{summary}"""  # noqa: D400, D415 - the joined messages end in full stops

    def __init__(self, errors: "Sequence[Invalid]") -> None:
        self._errors = tuple(errors)
        # The same error of many fields, such as that of each request of a batch, is one sentence.
        messages = dict.fromkeys(error.message for error in self._errors)
        super().__init__(summary=" ".join(islice(messages, 5)))

    @property
    def violations(self) -> tuple[Invalid, ...]:
        return self._errors


class QueryTooExpensive(Invalid):
    """The query reads too much: {cause}. {remedy}."""


@contextmanager
def collect_errors(errors: list[Invalid]) -> Iterator[None]:
    """Append the validation errors that are raised inside to the list, so that the next fields are checked too."""
    try:
        yield
    except Invalid as error:
        errors.extend(error.violations)


def raise_all(errors: "Sequence[Invalid]") -> None:
    """Raise the collected errors: nothing for none, the error itself for one, ValidationErrors for several."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ValidationErrors(errors)


class MissingField(Invalid):
    """The field {field} is required."""
