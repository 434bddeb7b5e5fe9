"""Where uploads are kept: each test that asks for it runs on a folder and on a real S3 server."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import obstore
import pytest

from tests.s3 import BUCKET


@dataclass(frozen=True)
class Stored:
    """What is stored, as an operator sees it."""

    url: str
    store: obstore.store.ObjectStore
    unfinished: Callable[[], list[str]]
    """Whatever is left of uploads that did not come to their end."""

    def names(self) -> list[str]:
        return [found["path"] for page in obstore.list(self.store) for found in page]

    def replace(self, key: str, content: bytes | None) -> None:
        obstore.delete(self.store, key)
        if content is not None:
            obstore.put(self.store, key, content)


@pytest.fixture(params=["folder", "S3"])
def stored(request, tmp_path, monkeypatch):
    """Each test runs on a folder and on a real S3 server, below a prefix of its own."""
    if request.param == "folder":
        folder = tmp_path / "uploads"
        store = obstore.store.LocalStore(folder, mkdir=True)
        return Stored(folder.as_uri(), store, lambda: [path.name for path in folder.rglob("*#*")])
    server = request.getfixturevalue("s3")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    prefix = f"some/{secrets.token_hex(4)}"
    return Stored(f"s3://{BUCKET}/{prefix}", server.store(prefix), server.unfinished)
