"""Measurement of the queue of imports."""

from dataclasses import dataclass

from task_service.imports.usecases.metrics import record_queue
from task_service.imports.usecases.sessions import Begin


@dataclass(frozen=True, slots=True)
class MeasureQueue:
    """Read number and age of the unfinished imports into metrics. The query reads a small partial index."""

    begin: Begin

    async def __call__(self) -> None:
        async with self.begin() as work:
            depths = await work.import_queue.measure()
            await work.commit()
        record_queue(depths)
