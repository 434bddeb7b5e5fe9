"""Small Python scripts to supervise."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from deploy.local.supervision.process import ProcessSpec

SLEEP = "import signal; signal.pause()"


def script_process(source: str, *, name: str = "script", **spec_options: Any) -> ProcessSpec:
    """Return a process that runs Python source code."""
    return ProcessSpec(name=name, argv=(sys.executable, "-c", source), **spec_options)


async def file_exists(path: Path) -> bool:
    """Return True if a script has created the file that shows its readiness."""
    return await asyncio.to_thread(path.exists)
