"""Small Python scripts to supervise."""

import sys
from typing import Any

from deploy.local.supervision.process import ProcessSpec

SLEEP = "import signal; signal.pause()"


def script_process(source: str, *, name: str = "script", **spec_options: Any) -> ProcessSpec:
    """Return a process that runs Python source code."""
    return ProcessSpec(name=name, argv=(sys.executable, "-c", source), **spec_options)
