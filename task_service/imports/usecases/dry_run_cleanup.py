"""Deletion of the state of dry runs."""

from dataclasses import dataclass

from task_service.imports.usecases.unit_of_work import Begin


@dataclass(frozen=True, slots=True)
class DeleteDryRunState:
    """Delete the state of dry runs that have ended, in bounded steps."""

    begin: Begin
    step_size: int = 10_000

    async def __call__(self) -> int:
        """Return the number of deleted tasks."""
        total = 0
        while True:
            async with self.begin() as work:
                deleted = await work.dry_run.delete_ended(self.step_size)
                await work.commit()
            total += deleted
            if deleted < self.step_size:
                return total
