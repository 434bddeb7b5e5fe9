"""A real S3 server: SeaweedFS, one process on ports of its own."""

import asyncio
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx2 as httpx
import obstore

from deploy.local.ports import HOST, free_port
from deploy.local.process import ProcessSpec
from deploy.local.standalone import EmbeddedServer

BUCKET = "uploads"
_KEY, _SECRET = "tests", "no secret at all"
_PARTS = ("master", "volume", "filer", "s3")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeaweedServer:
    """One server: where its data lie and how it is reached."""

    folder: Path
    ports: dict[str, int] = field(default_factory=lambda: {part: free_port() for part in _PARTS})

    @property
    def url(self) -> str:
        """The S3 endpoint."""
        return f"http://{HOST}:{self.ports['s3']}"

    @property
    def environment(self) -> dict[str, str]:
        """What a client is told by its environment."""
        return {
            "AWS_ENDPOINT": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
        }

    async def prepare(self) -> ProcessSpec:
        self.folder.mkdir(exist_ok=True)
        actions = ["Admin", "Read", "Write", "List"]
        identity = {"name": "tests", "credentials": [{"accessKey": _KEY, "secretKey": _SECRET}], "actions": actions}
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        arguments = {
            "dir": ".",
            "ip": HOST,
            "ip.bind": HOST,
            "bucket": BUCKET,
            "s3.config": "s3.json",
            "admin.ui": "false",
            "admin.port": free_port(),
            "admin.port.grpc": free_port(),
            "webdav": "false",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            **{f"{part}.port": port for part, port in self.ports.items()},
            **{f"{part}.port.grpc": free_port() for part in _PARTS},
        }
        return ProcessSpec(
            name="seaweed",
            argv=(str(Path(sys.executable).parent / "weed"), "mini", *(f"-{k}={v}" for k, v in arguments.items())),
            ready=self._has_its_bucket,
            cwd=self.folder,
        )

    async def _has_its_bucket(self) -> bool:
        """It answers long before it takes anything, and, started again, before it finds what was stored."""
        try:
            await asyncio.to_thread(self._take_and_give)
        except obstore.exceptions.BaseError:
            return False
        return True

    def _take_and_give(self) -> None:
        store = self.store("")
        obstore.put(store, "ready", b"")
        for page in obstore.list(store):
            for found in page:
                obstore.get(store, found["path"]).bytes()

    def store(self, prefix: str) -> obstore.store.S3Store:
        """The bucket as an operator sees it, below a prefix."""
        return obstore.store.S3Store(
            BUCKET,
            prefix=prefix or None,
            endpoint=self.url,
            region="us-east-1",
            access_key_id=_KEY,
            secret_access_key=_SECRET,
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )

    def unfinished(self) -> list[str]:
        """Uploads in parts that were begun and neither finished nor called off, in the whole bucket."""
        return self._listed(f"/buckets/{quote(BUCKET)}/.uploads")

    def parts(self) -> int:
        """How many parts of such uploads have arrived whole."""
        return sum(path.endswith(".part") for folder in self.unfinished() for path in self._listed(folder))

    def _listed(self, folder: str) -> list[str]:
        answer = httpx.get(
            f"http://{HOST}:{self.ports['filer']}{folder}/", headers={"accept": "application/json"}, timeout=30
        )
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []
        return [entry["FullPath"] for entry in answer.json()["Entries"] or []]


class EmbeddedS3(EmbeddedServer):
    """An S3 server for the time of an `async with`."""

    def __init__(self, folder: Path) -> None:
        self.server = SeaweedServer(folder=folder / "data")
        super().__init__(self.server, folder=folder)
