"""Downloads of files."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taskmanager_cli.client import Client
from taskmanager_cli.errors import FileExists, UnusableFile


def check_output(file: Path, *, force: bool) -> None:
    """Raise the error of a file that can't be written, or that exists and may not be replaced."""
    if not file.parent.is_dir():
        raise UnusableFile(path=file, reason="its folder does not exist")
    if file.exists() and not file.is_file():
        raise UnusableFile(path=file, reason="is a directory" if file.is_dir() else "is not a regular file")
    if file.exists() and not force:
        raise FileExists(path=file)


def download(client: Client, path: str, params: Mapping[str, Any], file: Path | None, *, force: bool = False) -> int:
    """Write a response to a file, or to stdout; return its bytes. An incomplete response leaves no file."""
    if file:
        check_output(file, force=force)
    with client.stream(path, params) as response:
        if file is None:
            return sum(sys.stdout.buffer.write(chunk) for chunk in response.iter_bytes())
        temporary = file.with_name(f".{file.name}.{os.getpid()}.part")
        try:
            with temporary.open("wb") as output:
                size = sum(output.write(chunk) for chunk in response.iter_bytes())
            temporary.replace(file)
        except OSError as error:
            raise UnusableFile.from_error(error, file) from error
        finally:
            temporary.unlink(missing_ok=True)
        return size
