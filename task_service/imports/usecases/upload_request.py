"""Request of an upload, and the options that it takes from another import."""

from typing import NamedTuple
from uuid import UUID

from chassis.kernel.identity import Caller
from task_service.idempotency.key import IdempotencyKey
from task_service.imports.domain.errors import UnknownOptionsImport
from task_service.imports.domain.imports import State
from task_service.imports.domain.options.upload_options import UploadOptions
from task_service.imports.usecases.unit_of_work import Read


class UploadRequest(NamedTuple):
    """First message of an upload, before the first byte of the file."""

    file_name: str
    owner_id: UUID | None
    options: UploadOptions
    options_from: UUID | None = None
    """Import whose options apply where these are not set."""
    key: IdempotencyKey | None = None
    """Its fingerprint covers these options. The file's digest is added when the file has arrived."""


async def resolve_options(read: Read, caller: Caller, request: UploadRequest) -> UploadOptions:
    """Return the options, over those of the import that the request names. Raises UnknownOptionsImport."""
    if request.options_from is None:
        return request.options
    async with read() as session:
        found = await session.imports.get(request.options_from)
    # The options of an import are known when its header line is.
    if found is None or not found.is_visible_to(caller) or found.state is State.UPLOADING:
        raise UnknownOptionsImport
    return request.options.over(found.options.for_another_file())
