"""The session with the command-line client in README.md, and its picture.

`python -m tests.support.cli_session` runs the session on a new stack and draws its import as docs/import.svg.
"""

import io
import re
import shlex
import tempfile
from pathlib import Path

import httpx2 as httpx
from rich.console import Console
from rich.text import Text

from tests.support.cli_program import Program
from tests.support.documented_commands import Step, steps, with_addresses_of
from tests.support.stack import LocalStack, running_stack
from tests.support.terminal import screen

ROOT = Path(__file__).parents[2]
COLUMNS = 110
ANSWERS = {"Email: ": "sonu@example.com", "Password: ": "test123", "[Y/n]: ": "y"}


def session_steps(stack: LocalStack) -> list[Step]:
    """Return the commands of the session in README.md."""
    return steps(with_addresses_of(stack, (ROOT / "README.md").read_text()), "text")


def run_step(program: Program, step: Step, folder: Path) -> list[str]:
    """Type a command and the answers that README.md shows. Return the lines of the screen, with their colours.

    `cat FILE` writes the file that README.md shows: the session uses it.
    """
    words = shlex.split(step.command)
    if words[0] == "cat":
        (folder / words[1]).write_text("".join(f"{line}\n" for line in step.output))
        return step.output
    assert words[0] == "taskmanager", step.command
    with program.terminal(*words[1:], cwd=folder) as terminal:
        for line in step.output:
            for question, answer in ANSWERS.items():
                if question.strip() in line:
                    terminal.wait_for(question)
                    terminal.type(f"{answer}\n")
        terminal.wait()
    return screen(terminal.output)


def session_program(stack: LocalStack, folder: Path) -> Program:
    program = Program(stack.url, folder)
    program.environment |= {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    return program


def without_colours(lines: list[str]) -> str:
    """Return the text of the screen."""
    return "".join(f"{Text.from_ansi(line).plain.rstrip()}\n" for line in lines).rstrip("\n") + "\n"


def _draw(picture: Path) -> None:
    """Draw the last command of the session."""
    with tempfile.TemporaryDirectory() as name, running_stack(Path(name) / "data") as stack:
        user = {"username": "sonu", "email": ANSWERS["Email: "], "password": ANSWERS["Password: "], "role": "user"}
        httpx.post(f"{stack.url}/api/v1/register", json=user).raise_for_status()
        program = session_program(stack, Path(name))
        for step in session_steps(stack):
            lines = [f"$ {step.command}", *run_step(program, step, Path(name))]
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=False)
    drawn = console.export_svg(title="taskmanager")
    # The fonts would come from the web.
    picture.write_text(re.sub(r" *@font-face \{.*?\}\n", "", drawn, flags=re.DOTALL))


if __name__ == "__main__":
    _draw(ROOT / "docs" / "import.svg")
