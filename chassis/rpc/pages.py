"""Pages of a size that every client can read."""

from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import Message

from chassis.kernel.pagination import Page

MOST_BYTES = 2 * 1024 * 1024
"""Half of the 4 MiB that a gRPC client takes where nobody told it otherwise, as in most languages nobody does."""

FRAME_BYTES = 6
"""What a list adds to each of its messages: its field's number, and its length."""

Item = TypeVar("Item")
Sent = TypeVar("Sent", bound=Message)


def fitting(page: Page[Item], convert: Callable[[Item], Sent]) -> tuple[list[Sent], str]:
    """The page's first messages that fit an answer, at least one, and the token that goes on behind the last of them.

    A page may hold fewer items than were asked for (AIP-158): a client that goes by next_page_token misses none.
    """
    sent: list[Sent] = []
    size = 0
    for item in page.items:
        message = convert(item)
        size += message.ByteSize() + FRAME_BYTES
        if sent and size > MOST_BYTES:
            return sent, page.token_after(len(sent) - 1)
        sent.append(message)
    return sent, page.next_token
