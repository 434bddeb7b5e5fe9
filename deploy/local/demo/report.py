"""How the demo looks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.local.demo.rest_client import Json

_SHOWN_ERRORS = 6


class Report:
    """What the demo tells the person at the terminal: few lines, aligned."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def note(self, line: str) -> None:
        """Says what is going on."""
        self._console.print(f"  … {line}", style="dim", markup=False, highlight=False)

    def done(self, what: str, details: str) -> None:
        """Says that a step is done."""
        self._console.print(f"  [green]✓[/] [bold]{what:<11}[/] {escape(details)}", highlight=False)

    def text(self, text: str) -> None:
        """Says something as it stands."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def progress(self, bytes_total: int) -> Iterator[Callable[[Json], None]]:
        """Draws a bar; what it yields moves it to where an import is."""
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

            def show(state: Json) -> None:
                rows = f"{state['rows_created']:,} created, {state['rows_failed']:,} failed"
                progress.update(bar, completed=state["bytes_read"], description=rows)

            yield show

    def row_errors(self, errors: Sequence[Json]) -> None:
        """Shows the first rows that were wrong."""
        shown = errors[:_SHOWN_ERRORS]
        table = _table(f"What was wrong, {len(shown)} of {len(errors)}", "line", "column", "value", "message")
        for error in shown:
            table.add_row(str(error["line"]), error["column"], _visible(error["value"]), error["message"])
        self._print(table)

    def tasks(self, tasks: Sequence[Json]) -> None:
        """Shows some tasks."""
        table = _table("The newest tasks", "title", "status", "priority", "due date")
        for task in tasks:
            table.add_row(escape(task["title"]), task["status"], task["priority"], task["due_date"])
        self._print(table)

    def events(self, task: Json, events: Sequence[Json]) -> None:
        """Shows a task's history."""
        table = _table(f"The history of “{escape(task['title'])}”", "when", "who", "did", "changes")
        for event in events:
            changes = "\n".join(f"{change['field']} = {change['new']}" for change in event["changes"])
            when = event["occurred_at"][:19].replace("T", " ")
            table.add_row(when, event["actor_role"], event["action"], escape(changes))
        self._print(table)

    def _print(self, table: Table) -> None:
        self._console.print()
        self._console.print(table, highlight=False)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2))
    for column in columns:
        table.add_column(column, header_style="dim", overflow="fold")
    return table


def _visible(value: str) -> str:
    """Shows blanks and control characters for what they are."""
    return escape(value if value.isprintable() and value.strip() == value else repr(value))
