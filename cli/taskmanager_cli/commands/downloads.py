"""Downloads of files."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taskmanager_cli.client import Client
from taskmanager_cli.errors import UnusableFile


def download(client: Client, path: str, params: Mapping[str, Any], file: Path | None) -> int:
    """Write a response to a file, or to stdout; return its bytes. An incomplete response leaves no file."""
    with client.stream(path, params) as response:
        if file is None:
            return sum(sys.stdout.buffer.write(chunk) for chunk in response.iter_bytes())
        temporary = file.with_name(f".{file.name}.{os.getpid()}.part")
        try:
            with temporary.open("wb") as output:
                size = sum(output.write(chunk) for chunk in response.iter_bytes())
            temporary.replace(file)
        except OSError as error:
            raise UnusableFile(path=file, reason=(error.strerror or str(error)).lower()) from error
        finally:
            temporary.unlink(missing_ok=True)
        return size
