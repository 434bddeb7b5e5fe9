"""The main job, from an account to a task's history, on a stack of its own."""

import secrets
import time
from dataclasses import dataclass

from rich.console import Console

from deploy.local.config.options import Options
from deploy.local.demo.report import Report
from deploy.local.demo.rest_client import Json, RestClient
from deploy.local.demo.sample import Sample, make_sample
from deploy.local.errors import LocalStackError, ProcessFailedError
from deploy.local.run import first_requests
from deploy.local.stack import running_stack
from deploy.local.supervision.log_files import error_lines

_BAD_ROWS = 20
_FILE_NAME = "tasks.csv"
_PASSWORD = "test123"  # noqa: S105 - of a user on a stack that only this machine reaches


class NumbersDoNotAddUp(LocalStackError):
    """What the import counted is not what was in the file."""


async def demo(options: Options, *, rows: int, keep: bool, console: Console) -> None:
    """Runs the demo. Raises LocalStackError when anything is not as it should be."""
    sample = make_sample(rows, _BAD_ROWS)
    report = Report(console)
    started = time.monotonic()
    async with running_stack(options, announce=report.note) as stack:
        report.done("started", f"Postgres, Redis and all services, in {time.monotonic() - started:.1f} s")
        try:
            async with RestClient(stack.endpoints.gateway_url) as client:
                await stack.supervisor.while_it_lasts(_MainJob(client, report, sample)())
        except ProcessFailedError:
            raise
        except LocalStackError as error:
            process, lines = error_lines(stack.logs)
            raise ProcessFailedError(str(error), process=process, last_lines=lines) from error
        if keep:
            report.text(first_requests(stack.endpoints))
            await stack.supervisor.until_failure()


@dataclass(frozen=True, slots=True)
class _MainJob:
    client: RestClient
    report: Report
    sample: Sample

    async def __call__(self) -> None:
        await self._sign_up()
        await self._create_a_task()
        finished = await self._import_the_file()
        errors = await self.client.import_errors(finished["id"])
        self._check(finished, errors)
        self.report.row_errors(errors)
        tasks = await self.client.tasks(page_size=5)
        self.report.tasks(tasks)
        self.report.events(tasks[0], await self.client.task_events(tasks[0]["id"]))

    async def _sign_up(self) -> None:
        name = f"ada-{secrets.token_hex(3)}"  # another one each time: a data directory may see several demos
        email = f"{name}@example.com"
        user = await self.client.register(name, email, _PASSWORD)
        self.report.done("registered", f"{user['username']}, role {user['role']}")
        login = await self.client.login(email, _PASSWORD)
        self.report.done("logged in", f"with a token for {login['expires_in'] // 60} minutes")

    async def _create_a_task(self) -> None:
        task = await self.client.create_task({"title": "Watch the demo", "priority": "high", "status": "in_progress"})
        self.report.done("created", f"task {task['id']}")

    async def _import_the_file(self) -> Json:
        uploaded = await self.client.upload_csv(_FILE_NAME, self.sample.content)
        size = len(self.sample.content) / 1e6
        self.report.done("uploaded", f"{_FILE_NAME}, {self.sample.rows:,} rows, {size:.1f} MB")
        started = time.monotonic()
        state = uploaded
        with self.report.progress(uploaded["bytes_total"]) as show:
            async for state in self.client.watch_import(uploaded["id"]):
                show(state)
        seconds = time.monotonic() - started
        self.report.done("imported", f"in {seconds:.1f} s, {state['rows_read'] / seconds:,.0f} rows a second")
        return state

    def _check(self, finished: Json, errors: list[Json]) -> None:
        """Compares what the service counted with what is known about the file."""
        sample = self.sample
        read, created, failed = (finished[name] for name in ("rows_read", "rows_created", "rows_failed"))
        counted = (finished["state"], read, created, failed, len({error["record"] for error in errors}))
        expected = ("succeeded", sample.rows, sample.rows - sample.bad_rows, sample.bad_rows, sample.bad_rows)
        if counted != expected:
            names = "state, rows read, rows created, rows failed, rows with errors listed"
            raise NumbersDoNotAddUp(f"{names} should be {expected} and are {counted}; failure: {finished['failure']}")
        self.report.done("adds up", f"{read:,} rows read = {created:,} created + {failed:,} failed")
