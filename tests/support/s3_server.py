"""A real S3 server: SeaweedFS, one process on free ports."""

import asyncio
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx2 as httpx
import obstore

from deploy.local.host.free_ports import HOST, find_free_port
from deploy.local.supervision.process import ProcessSpec
from tests.support.embedded_servers import EmbeddedServer

BUCKET = "uploads"
_ACCESS_KEY, _SECRET_KEY = "tests", "no secret at all"
_PARTS = ("master", "volume", "filer", "s3")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeaweedServer:
    """Data folder and ports of one server."""

    folder: Path
    ports: dict[str, int] = field(default_factory=lambda: {part: find_free_port() for part in _PARTS})

    @property
    def url(self) -> str:
        """Endpoint of the S3 API."""
        return f"http://{HOST}:{self.ports['s3']}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that configure a client."""
        return {
            "AWS_ENDPOINT": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": _ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET_KEY,
        }

    async def prepare(self) -> ProcessSpec:
        self.folder.mkdir(exist_ok=True)
        actions = ["Admin", "Read", "Write", "List"]
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": _ACCESS_KEY, "secretKey": _SECRET_KEY}],
            "actions": actions,
        }
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        arguments = {
            "dir": ".",
            "ip": HOST,
            "ip.bind": HOST,
            "bucket": BUCKET,
            "s3.config": "s3.json",
            "admin.ui": "false",
            "admin.port": find_free_port(),
            "admin.port.grpc": find_free_port(),
            "webdav": "false",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            **{f"{part}.port": port for part, port in self.ports.items()},
            **{f"{part}.port.grpc": find_free_port() for part in _PARTS},
        }
        return ProcessSpec(
            name="seaweed",
            argv=(str(Path(sys.executable).parent / "weed"), "mini", *(f"-{k}={v}" for k, v in arguments.items())),
            readiness_probe=self._is_ready,
            cwd=self.folder,
        )

    async def _is_ready(self) -> bool:
        """Check that objects can be written and read.

        The server responds before it accepts writes, and after a restart before it finds stored objects.
        """
        try:
            await asyncio.to_thread(self._write_and_read)
        except obstore.exceptions.BaseError:
            return False
        return True

    def _write_and_read(self) -> None:
        store = self.store("")
        obstore.put(store, "ready", b"")
        for page in obstore.list(store):
            for found in page:
                obstore.get(store, found["path"]).bytes()

    def store(self, prefix: str) -> obstore.store.S3Store:
        """Return an operator's view of the bucket below a prefix."""
        return obstore.store.S3Store(
            BUCKET,
            prefix=prefix or None,
            endpoint=self.url,
            region="us-east-1",
            access_key_id=_ACCESS_KEY,
            secret_access_key=_SECRET_KEY,
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )

    def unfinished(self) -> list[str]:
        """Return the multipart uploads of the bucket that are neither completed nor aborted."""
        return self._list(f"/buckets/{quote(BUCKET)}/.uploads")

    def parts(self) -> int:
        """Count the complete parts of unfinished uploads."""
        return sum(path.endswith(".part") for folder in self.unfinished() for path in self._list(folder))

    def _list(self, folder: str) -> list[str]:
        response = httpx.get(
            f"http://{HOST}:{self.ports['filer']}{folder}/", headers={"accept": "application/json"}, timeout=30
        )
        if response.status_code == httpx.codes.NOT_FOUND:
            return []
        return [entry["FullPath"] for entry in response.json()["Entries"] or []]


class EmbeddedS3(EmbeddedServer):
    """S3 server that runs during an `async with`."""

    def __init__(self, folder: Path) -> None:
        self.server = SeaweedServer(folder=folder / "data")
        super().__init__(self.server, directory=folder)
