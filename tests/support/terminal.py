"""Programs run in a pseudo-terminal, as a person runs them."""

import os
import pty
import re
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

MAX_SECONDS = 60
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Ended:
    """A program that has ended, and its output without escape sequences."""

    exit_code: int
    output: str


class Terminal:
    """A program with a pseudo-terminal as stdin, stdout and stderr."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], cwd: Path | None = None) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=dict(environment), start_new_session=True, cwd=cwd
        )
        os.close(slave)
        self.output = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def interrupt(self) -> None:
        """Send SIGINT, as Ctrl-C does, when the program waits. Python may miss one just before a call that blocks."""
        while psutil.Process(self._process.pid).status() != psutil.STATUS_SLEEPING:
            os.sched_yield()
        os.killpg(self._process.pid, signal.SIGINT)

    def wait_for(self, text: str) -> None:
        """Read until the program has printed the text."""
        while text not in self.output:
            assert self._read(), f"{text!r} is not in the output:\n{self.output}"

    def wait(self) -> Ended:
        """Read until the program ends."""
        while self._read():
            pass
        return Ended(self._process.wait(MAX_SECONDS), _ESCAPE.sub("", self.output))

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], MAX_SECONDS)
        assert ready, f"the program is silent:\n{self.output}"
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux reports the end of a pseudo-terminal as an I/O error.
            return False
        self.output += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)


def screen(output: str) -> list[str]:
    """Return the lines that a terminal shows in the end, with their colours.

    A carriage return, which moves to the beginning of a line, begins it anew: programs erase the rest of a line that
    they draw again.
    """
    lines = [""]
    row = 0
    for text in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\r\n\x1b]+", output):
        if text == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif text == "\r" or text.endswith("K"):
            lines[row] = ""
        elif text.endswith("A"):
            row -= int(text[2:-1] or 1)
        elif text.endswith("m") or not text.startswith("\x1b"):
            lines[row] += text
    return lines
