"""Folder of the client's files, and the address of the server."""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

DEFAULT_URL = "http://localhost:8080"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def config_dir() -> Path:
    """Return the folder of the client's files; create it, readable only by the user."""
    path = Path(os.environ.get("TASKMANAGER_CONFIG_DIR") or platformdirs.user_config_dir("taskmanager"))
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def normalize_url(url: str) -> str:
    """Return the URL with a scheme and without a final slash. ValueError if it is not an HTTP URL."""
    text = url.strip().rstrip("/")
    if "://" not in text:
        host = urlsplit(f"//{text}").hostname
        text = f"{'http' if host in _LOOPBACK else 'https'}://{text}"
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(url)
    if any(char.isspace() or not char.isprintable() for char in text):
        raise ValueError(url)
    parts.hostname.encode("idna")  # Raises UnicodeError, a ValueError, for a host name that can't exist.
    _ = parts.port  # Raises ValueError for a port that is not a number.
    return text


def sends_in_clear(url: str) -> bool:
    """Return True if others on the network can read requests to the URL."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in _LOOPBACK


def stored_url() -> str:
    """Return the address of the last login, or that of a local server."""
    try:
        url = json.loads((config_dir() / "config.json").read_text())["url"]
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT_URL
    return url if isinstance(url, str) else DEFAULT_URL


def store_url(url: str) -> None:
    write_private(config_dir() / "config.json", json.dumps({"url": url}))


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step, so that a crash leaves the old or the new text. Only the user can read it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
