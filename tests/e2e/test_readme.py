"""README.md: every command runs in order in one shell, and its output must match the text.

Only addresses are replaced, because the test's stack has other ports. An ellipsis stands for output that varies.
"""

import re
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.stack import running_stack

ROOT = Path(__file__).parents[2]
END_MARK = "--- end of output ---"


@dataclass
class Step:
    """Command in the README, and the output below it."""

    command: str
    output: list[str] = field(default_factory=list)


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
                found[-1].output.append(line)
            continued = line.endswith("\\") and not found[-1].output
    return found


def pattern(output: list[str]) -> str:
    """Return a regular expression for the output. A line with only an ellipsis matches any number of lines."""
    lines = [r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*?") + r"\n" for line in output]
    return "".join(lines)


class Shell:
    """One shell for all steps, which keeps variables and files from step to step."""

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
        # The empty line puts the end mark on its own line, also after output without a final newline.
        self._process.stdin.write(f"{command}\necho; echo {shlex.quote(END_MARK)}\n")
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            if line.rstrip("\n") == END_MARK:
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

        def replace_addresses(text: str) -> str:
            for printed, actual in addresses.items():
                text = text.replace(printed, actual)
            return text

        (program,) = fenced("python", text)
        (tmp_path / "client.py").write_text(replace_addresses(program))
        shell = Shell(tmp_path)
        try:
            run = steps(text)
            assert len(run) >= 10
            for step in run:
                output = shell.run(replace_addresses(step.command))
                ended = output if output.endswith("\n") or not output else f"{output}\n"
                assert re.fullmatch(pattern(step.output), ended), f"$ {step.command}\n{output}"
        finally:
            shell.close()
