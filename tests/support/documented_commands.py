"""Commands of a documentation page, run in order in one shell. Their output must match the page.

Only addresses are replaced, because the test's stack has other ports. An ellipsis stands for output that varies.
"""

import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from tests.support.stack import LocalStack

END_MARK = "--- end of output ---"


@dataclass
class Step:
    """Command in a page, and the output below it."""

    command: str
    output: list[str] = field(default_factory=list)


def fenced(language: str, text: str) -> list[str]:
    """Return the content of each fenced block of the language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def steps(text: str, language: str = "console") -> list[Step]:
    """Return the commands in the blocks of the language, which begin with `$ `, with their outputs."""
    found: list[Step] = []
    for block in fenced(language, text):
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

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=environment,
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

    def check(self, step: Step) -> None:
        """Run the command; fail if its output differs from that of the page."""
        output = self.run(step.command)
        ended = output if output.endswith("\n") or not output else f"{output}\n"
        assert re.fullmatch(pattern(step.output), ended), f"$ {step.command}\n{output}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def with_addresses_of(stack: LocalStack, text: str) -> str:
    """Replace the addresses of `make run` with those of the stack."""
    endpoints = stack.endpoints
    addresses = {
        "localhost:8080": endpoints["gateway_url"].removeprefix("http://"),
        "localhost:50051": endpoints["auth_target"],
        "localhost:50052": endpoints["tasks_target"],
    }
    for printed, actual in addresses.items():
        text = text.replace(printed, actual)
    return text
