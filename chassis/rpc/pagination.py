"""Pages that fit the message size limit of every gRPC client."""

from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import Message

from chassis.kernel.pagination import Page

MAX_RESPONSE_BYTES = 2 * 1024 * 1024
"""Half of the 4 MiB that a gRPC client accepts by default."""

FIELD_OVERHEAD_BYTES = 6
"""Bytes that a repeated field adds to each of its messages: tag and length."""

Item = TypeVar("Item")
Converted = TypeVar("Converted", bound=Message)


def fit_to_message_size(page: Page[Item], convert: Callable[[Item], Converted]) -> tuple[list[Converted], str]:
    """Return the first messages of the page that fit one response, at least one, and the token of the next page.

    A page may hold fewer items than requested (AIP-158). A client that follows next_page_token misses none.
    """
    messages: list[Converted] = []
    size = 0
    for item in page.items:
        message = convert(item)
        size += message.ByteSize() + FIELD_OVERHEAD_BYTES
        if messages and size > MAX_RESPONSE_BYTES:
            return messages, page.token_after(len(messages) - 1)
        messages.append(message)
    return messages, page.next_token
