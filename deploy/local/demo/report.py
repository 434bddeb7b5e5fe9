"""Report of the demo on the terminal."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.local.demo.rest_client import Json

_MAX_SHOWN_ERRORS = 6


class DemoReport:
    """Printer of the steps and results of the demo as a few aligned lines and tables."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def print_status(self, line: str) -> None:
        """Print what the stack is doing."""
        self._console.print(f"  … {line}", style="dim", markup=False, highlight=False)

    def print_step(self, step: str, details: str) -> None:
        """Print a finished step."""
        self._console.print(f"  [green]✓[/] [bold]{step:<11}[/] {escape(details)}", highlight=False)

    def print_text(self, text: str) -> None:
        """Print text without wrapping or styling."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def import_progress(self, bytes_total: int) -> Iterator[Callable[[Json], None]]:
        """Draw a progress bar. Yield a function that updates the bar from an import resource."""
        columns = (
            TextColumn("  [cyan]↻[/] [bold]importing  [/]"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
        )
        with Progress(
            *columns, console=self._console, transient=True, disable=not self._console.is_terminal
        ) as progress:
            bar = progress.add_task("", total=bytes_total)

            def update(resource: Json) -> None:
                rows = f"{resource['rows_created']:,} created, {resource['rows_failed']:,} failed"
                progress.update(bar, completed=resource["bytes_read"], description=rows)

            yield update

    def print_row_errors(self, errors: Sequence[Json]) -> None:
        """Print the first row errors of an import."""
        shown = errors[:_MAX_SHOWN_ERRORS]
        table = _table(f"Row errors ({len(shown)} of {len(errors)})", "line", "column", "value", "message")
        for error in shown:
            table.add_row(str(error["line"]), error["column"], _escape_unprintable(error["value"]), error["message"])
        self._print_table(table)

    def print_tasks(self, tasks: Sequence[Json]) -> None:
        """Print tasks."""
        table = _table("Newest tasks", "title", "status", "priority", "due date")
        for task in tasks:
            table.add_row(escape(task["title"]), task["status"], task["priority"], task["due_date"])
        self._print_table(table)

    def print_history(self, task: Json, events: Sequence[Json]) -> None:
        """Print the history of a task."""
        table = _table(f"History of “{escape(task['title'])}”", "time", "role", "action", "changes")
        for event in events:
            changes = "\n".join(f"{change['field']} = {change['new']}" for change in event["changes"])
            time = event["occurred_at"][:19].replace("T", " ")
            table.add_row(time, event["actor_role"], event["action"], escape(changes))
        self._print_table(table)

    def _print_table(self, table: Table) -> None:
        self._console.print()
        self._console.print(table, highlight=False)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2))
    for column in columns:
        table.add_column(column, header_style="dim", overflow="fold")
    return table


def _escape_unprintable(value: str) -> str:
    """Return the value, as a Python literal if it has control characters or leading or trailing blanks."""
    return escape(value if value.isprintable() and value.strip() == value else repr(value))
