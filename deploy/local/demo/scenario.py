"""Scenario of the demo: register, create a task, import a file, and read the history, on a stack of its own."""

import secrets
import time
from dataclasses import dataclass

from rich.console import Console

from deploy.local.config.options import Options
from deploy.local.demo.error_log import find_error_lines
from deploy.local.demo.report import DemoReport
from deploy.local.demo.rest_client import Json, RestClient
from deploy.local.demo.sample import Sample, make_sample
from deploy.local.errors import LocalStackError, ProcessFailed
from deploy.local.first_requests import first_requests
from deploy.local.stack import running_stack

_INVALID_ROWS = 20
_FILE_NAME = "tasks.csv"
_PASSWORD = "test123"  # noqa: S105 - of a user on a stack that only this machine reaches


class ImportCountMismatch(LocalStackError):
    """The counts of the import differ from the contents of the file."""


async def run_demo(options: Options, *, rows: int, keep: bool, console: Console) -> None:
    """Run the demo. With `keep`, leave the stack running afterwards. Raise LocalStackError if any step fails."""
    sample = make_sample(rows, _INVALID_ROWS)
    report = DemoReport(console)
    started = time.monotonic()
    async with running_stack(options, announce=report.print_status) as stack:
        report.print_step("started", f"Postgres, Redis and all services, in {time.monotonic() - started:.1f} s")
        try:
            async with RestClient(stack.endpoints.gateway_url) as client:
                await stack.supervisor.run_until_failure(_Scenario(client, report, sample).run())
        except ProcessFailed:
            raise
        except LocalStackError as error:
            process, lines = find_error_lines(stack.log_dir)
            raise ProcessFailed(str(error), process=process, last_log_lines=lines) from error
        if keep:
            report.print_text(first_requests(stack.endpoints))
            await stack.supervisor.wait_for_failure()


@dataclass(frozen=True, slots=True)
class _Scenario:
    client: RestClient
    report: DemoReport
    sample: Sample

    async def run(self) -> None:
        await self._register_and_log_in()
        await self._create_task()
        finished = await self._import_file()
        errors = await self.client.list_import_errors(finished["id"])
        self._check_counts(finished, errors)
        self.report.print_row_errors(errors)
        tasks = await self.client.list_newest_tasks(page_size=5)
        self.report.print_tasks(tasks)
        self.report.print_history(tasks[0], await self.client.list_task_events(tasks[0]["id"]))

    async def _register_and_log_in(self) -> None:
        username = f"ada-{secrets.token_hex(3)}"  # random, because several demos may share a data directory
        email = f"{username}@example.com"
        user = await self.client.register(username, email, _PASSWORD)
        self.report.print_step("registered", f"{user['username']}, role {user['role']}")
        login = await self.client.login(email, _PASSWORD)
        self.report.print_step("logged in", f"token valid for {login['expires_in'] // 60} minutes")

    async def _create_task(self) -> None:
        task = await self.client.create_task({"title": "Watch the demo", "priority": "high", "status": "in_progress"})
        self.report.print_step("created", f"task {task['id']}")

    async def _import_file(self) -> Json:
        uploaded = await self.client.upload_csv(_FILE_NAME, self.sample.content)
        size = len(self.sample.content) / 1e6
        self.report.print_step("uploaded", f"{_FILE_NAME}, {self.sample.rows:,} rows, {size:.1f} MB")
        started = time.monotonic()
        latest = uploaded
        with self.report.import_progress(uploaded["bytes_total"]) as update:
            async for latest in self.client.watch_import(uploaded["id"]):
                update(latest)
        seconds = time.monotonic() - started
        self.report.print_step("imported", f"in {seconds:.1f} s, {latest['rows_read'] / seconds:,.0f} rows a second")
        return latest

    def _check_counts(self, finished: Json, errors: list[Json]) -> None:
        """Compare the counts of the import with the contents of the file. Raise ImportCountMismatch."""
        sample = self.sample
        read, created, failed = (finished[name] for name in ("rows_read", "rows_created", "rows_failed"))
        counts = (finished["state"], read, created, failed, len({error["record"] for error in errors}))
        expected = (
            "succeeded",
            sample.rows,
            sample.rows - sample.invalid_rows,
            sample.invalid_rows,
            sample.invalid_rows,
        )
        if counts != expected:
            names = "state, rows read, rows created, rows failed, rows with errors listed"
            message = (
                f"The import reported ({names}) = {counts} instead of {expected}. Its failure: {finished['failure']}."
            )
            raise ImportCountMismatch(message)
        self.report.print_step("checked", f"{read:,} rows read = {created:,} created + {failed:,} failed")
