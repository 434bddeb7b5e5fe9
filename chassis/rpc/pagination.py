"""Pages that fit the message size limit of every gRPC client."""

from collections.abc import MutableSequence
from typing import Any, Protocol, TypeVar

from chassis.kernel.pagination import Page

MAX_RESPONSE_BYTES = 2 * 1024 * 1024
"""Half of the 4 MiB that a gRPC client accepts by default."""

FIELD_OVERHEAD_BYTES = 6
"""Bytes that a repeated field adds to each of its messages: tag and length."""


class ListResponse(Protocol):
    """Response of a List rpc (AIP-158)."""

    next_page_token: str

    def ByteSize(self) -> int: ...  # noqa: N802


Response = TypeVar("Response", bound=ListResponse)


def fit_to_message_size(response: Response, messages: MutableSequence[Any], page: Page[Any]) -> Response:
    """Shorten the response until one message can hold it, set its next_page_token, and return it.

    `messages` is the repeated field of the response that has a message for each item of the page. At least one stays.
    A page may hold fewer items than requested (AIP-158). A client that follows next_page_token misses none.
    """
    size = response.ByteSize()
    while size > MAX_RESPONSE_BYTES and len(messages) > 1:
        size -= messages[-1].ByteSize() + FIELD_OVERHEAD_BYTES
        del messages[-1]
    is_whole = len(messages) == len(page.items)
    response.next_page_token = page.next_token if is_whole else page.token_after(len(messages) - 1)
    return response
