"""README.md, word for word: every command is run in order in one shell, and every answer compared.

Only addresses differ: the stack of the tests is on other ports. An ellipsis stands for what differs each time.
"""

import re
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.stack import running_stack

ROOT = Path(__file__).parents[2]
END = "--- end of answer ---"


@dataclass
class Step:
    """A command as it is printed, and the answer below it."""

    command: str
    answer: list[str] = field(default_factory=list)


def fenced(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def steps(text: str) -> list[Step]:
    found: list[Step] = []
    for block in fenced("console", text):
        continued = False
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Step(line.removeprefix("$ ")))
            elif continued:
                found[-1].command += f"\n{line}"
            else:
                found[-1].answer.append(line)
            continued = line.endswith("\\") and not found[-1].answer
    return found


def pattern(answer: list[str]) -> str:
    """A regular expression for the answer. A line that is only an ellipsis stands for any number of lines."""
    lines = [r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*?") + r"\n" for line in answer]
    return "".join(lines)


class Shell:
    """One shell, as a person has one open: variables and files of a step are there for the next."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # Its own line for the end, even where an answer has no newline at its end.
        self._process.stdin.write(f"{command}\necho; echo {shlex.quote(END)}\n")
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            if line.rstrip("\n") == END:
                return "".join(lines).removesuffix("\n")
            lines.append(line)
        pytest.fail(f"the shell ended: {''.join(lines)}")

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def test_readme_commands_print_what_it_shows(tmp_path):
    text = (ROOT / "README.md").read_text()
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    with running_stack(tmp_path / "data") as stack:
        endpoints = stack.endpoints
        addresses = {
            "localhost:8080": endpoints["gateway_url"].removeprefix("http://"),
            "localhost:50051": endpoints["auth_target"],
            "localhost:50052": endpoints["tasks_target"],
        }

        def here(said: str) -> str:
            for printed, actual in addresses.items():
                said = said.replace(printed, actual)
            return said

        (program,) = fenced("python", text)
        (tmp_path / "client.py").write_text(here(program))
        shell = Shell(tmp_path)
        try:
            run = steps(text)
            assert len(run) >= 10
            for step in run:
                answer = shell.run(here(step.command))
                ended = answer if answer.endswith("\n") or not answer else f"{answer}\n"
                assert re.fullmatch(pattern(step.answer), ended), f"$ {step.command}\n{answer}"
        finally:
            shell.close()
