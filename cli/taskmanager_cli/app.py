"""The program `taskmanager`."""

import os
import signal
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from taskmanager_cli.commands import account, events, import_file, imports, tasks, tokens
from taskmanager_cli.config import normalize_url, stored_url
from taskmanager_cli.errors import CliError, ExitCode, UndecodableText, UnusableFile
from taskmanager_cli.output import note, printable, stderr
from taskmanager_cli.personal_tokens import without_tokens


class ProgramGroup(TyperGroup):
    """The group of all commands. It turns errors into a message and an exit code: nobody sees a traceback."""

    def make_context(self, *arguments: Any, **extra: Any) -> Any:
        try:
            return super().make_context(*arguments, **extra)
        except typer.TyperException as error:
            error.message = _usage_message(error)
            raise

    def invoke(self, ctx: Any) -> Any:
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # __main__ has set another one
        try:
            return super().invoke(ctx)
        except CliError as error:
            raise _report(error) from None
        except (KeyboardInterrupt, typer.Abort):
            note("\nInterrupted." if stderr().is_terminal else "Interrupted.")  # The terminal has printed "^C".
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except typer.TyperException as error:
            error.message = _usage_message(error)
            raise
        except BrokenPipeError:
            # The reader of a pipe, such as head, has enough. Python would complain at exit about the closed pipe.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(ExitCode.REFUSED) from None
        except OSError as error:
            raise _report(UnusableFile.from_error(error, error.filename or "the output")) from None
        except UnicodeError:  # Bytes of an argument that are no text become lone surrogates, which nobody can send.
            raise _report(UndecodableText(encoding=sys.getfilesystemencoding())) from None


def _report(error: CliError) -> typer.Exit:
    """Print an error, and return the end of the program with its exit code."""
    note("\n".join(["Error: " + error.lines()[0], *error.lines()[1:]]))
    return typer.Exit(error.exit_code)


def _usage_message(error: typer.TyperException) -> str:
    """Return the message of a usage error. It quotes the arguments, which may be secrets, and a CI system logs it."""
    message = printable(without_tokens(error.message)).removeprefix("Value error, ")  # pydantic's words before typer's
    is_late_url = getattr(error, "option_name", "") == "--url"
    return f"{message}. It comes before the command: taskmanager --url URL COMMAND" if is_late_url else message


app = typer.Typer(
    cls=ProgramGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Tasks and CSV imports of a task manager, over its REST API.",
    epilog="Exit codes: 0 done, 1 refused by the server, 2 wrong usage, 3 not logged in, 4 server unreachable, "
    "130 interrupted.",
)


def _print_version(value: bool) -> None:  # noqa: FBT001
    if value:
        try:
            typer.echo(version("taskmanager-cli"))
        except PackageNotFoundError:
            typer.echo("not installed")
        raise typer.Exit


@app.callback()
def program(
    ctx: typer.Context,
    url: Annotated[
        str, typer.Option(envvar="TASKMANAGER_URL", help="Address of the server. Default: that of the last login.")
    ] = "",
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    try:
        ctx.obj = normalize_url(url or stored_url())
    except ValueError:
        raise typer.BadParameter(
            f"{url!r} is not an address such as https://tasks.example.com", param_hint="--url"
        ) from None


app.command()(account.login)
app.command()(account.logout)
app.command()(account.whoami)
app.command(name="import")(import_file.import_file)
app.command()(events.events)
app.add_typer(tasks.app, name="tasks")
app.add_typer(imports.app, name="imports")
app.add_typer(tokens.app, name="token")


def _hide_types_of_flags(command: Any) -> None:
    """Remove "<bool>" from the help: a flag has no value."""
    help_option = command.get_help_option(command.context_class(command))
    for option in (*command.params, help_option):
        if getattr(option, "is_flag", False):
            option.metavar = ""
    for subcommand in getattr(command, "commands", {}).values():
        _hide_types_of_flags(subcommand)


def _prepare_streams() -> None:
    """Replace a stream that the caller has closed by one without data, and characters that can't be encoded by "?"."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def main() -> None:
    """Run the program. A defect of it is one line, too, unless TASKMANAGER_DEBUG is set."""
    _prepare_streams()
    command = typer.main.get_command(app)
    _hide_types_of_flags(command)
    try:
        command(prog_name="taskmanager")
    except Exception as error:
        if os.environ.get("TASKMANAGER_DEBUG"):
            raise
        note(f"Internal error: {type(error).__name__}: {error}. TASKMANAGER_DEBUG=1 shows where.")
        sys.exit(ExitCode.INTERNAL)
