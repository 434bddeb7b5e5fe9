"""Rules about the requests of a batch, and the errors of single requests.

An error names the field with the index of its request, such as requests[3].title or ids[3].
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence, Sized
from contextlib import contextmanager

from chassis.kernel.errors import DomainError, Invalid, raise_all
from task_service.tasks.domain.errors import DuplicateInBatch, EmptyBatch, TooManyInBatch

MAX_BATCH_SIZE = 100


def ensure_batch_size(batch: Sized, *, field: str = "requests") -> None:
    """Raise EmptyBatch or TooManyInBatch unless the batch has 1 to 100 requests. Call it before any other work."""
    if not len(batch):
        raise EmptyBatch(field=field)
    if len(batch) > MAX_BATCH_SIZE:
        raise TooManyInBatch(field=field, limit=MAX_BATCH_SIZE, count=len(batch))


def ensure_unique(keys: Sequence[Hashable], *, name: str = "id", field: str = "requests[{index}].id") -> None:
    """Raise DuplicateInBatch for a task that two requests name, because the order of its changes would be undefined."""
    counts = Counter(keys)
    raise_all(
        [
            DuplicateInBatch(field=field.format(index=index), name=name)
            for index, key in enumerate(keys)
            if counts[key] > 1
        ]
    )


@contextmanager
def with_index(index: int) -> Iterator[None]:
    """Add the index of the request to the field of every error that is raised inside."""
    try:
        yield
    except Invalid as error:
        for violation in error.violations:
            _add_index(violation, index)
        raise
    except DomainError as error:
        _add_index(error, index)
        raise


def _add_index(error: DomainError, index: int) -> None:
    error.field = f"requests[{index}].{error.field}" if error.field else f"requests[{index}]"
