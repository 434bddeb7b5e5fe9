"""Measurement of the queue of imports."""

from dataclasses import dataclass

from task_service.imports.usecases.metrics import record_queue
from task_service.imports.usecases.unit_of_work import Read


@dataclass(frozen=True, slots=True)
class MeasureQueue:
    """Read number and age of the unfinished imports into metrics. The query reads a small partial index."""

    read: Read

    async def __call__(self) -> None:
        async with self.read() as session:
            depths = await session.import_queue.measure()
        record_queue(depths)
