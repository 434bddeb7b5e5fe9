"""Use case that inspects a file without storing it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from chassis.kernel.clock import Clock
from chassis.kernel.identity import Caller
from task_service.access import owner_for
from task_service.imports.domain.errors import EmptyFile, FileTooLarge, UploadIncomplete
from task_service.imports.domain.header.header import HeaderLimits
from task_service.imports.domain.inspection.inspection import MAX_BYTES, Inspection, inspect_file
from task_service.imports.domain.options.upload_options import check_file_name
from task_service.imports.usecases.incoming_file import Finish
from task_service.imports.usecases.unit_of_work import Read
from task_service.imports.usecases.upload_request import UploadRequest, resolve_options


@dataclass(frozen=True, slots=True)
class InspectImport:
    """Return what an import would make of a file, and options that fit it."""

    read: Read
    header_limits: HeaderLimits
    max_upload_bytes: int
    now: Clock
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Inspections take turns: each thread with Python code lets the event loop wait for the interpreter lock."""

    async def __call__(
        self, caller: Caller, request: UploadRequest, parts: AsyncIterator[bytes | Finish]
    ) -> Inspection:
        """Read the whole file, because a client that still sends can't receive, and inspect its first bytes.

        The size that the client announces does not matter: it may send the beginning of a file only. The options are
        checked as for an upload, for which the client will use them.
        """
        check_file_name(request.file_name)
        owner_for(caller, request.owner_id)
        options = await resolve_options(self.read, caller, request)
        data = bytearray()
        size = 0
        async for part in parts:
            if isinstance(part, Finish):
                break
            size += len(part)
            if size > self.max_upload_bytes:
                raise FileTooLarge(limit=self.max_upload_bytes)
            data += part[: MAX_BYTES - len(data)]
        else:
            raise UploadIncomplete
        if not data:
            raise EmptyFile
        # In a thread: it takes up to a tenth of a second.
        async with self.turn:
            return await asyncio.to_thread(
                inspect_file, bytes(data), options, self.header_limits, is_complete=size < MAX_BYTES, now=self.now()
            )
