"""Format of personal access tokens: `tm_`, 43 random characters, and a checksum of 6 characters, all in base62.

The prefix lets scanners find a leaked token. The checksum, as in GitHub's tokens, spares them false alarms and lets a
program refuse a mistyped token without a query. Anybody can calculate it, so it proves nothing.
"""

import hashlib
import re
import zlib

PREFIX = "tm_"
RANDOM_BYTES = 32

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_CHARACTERS = 43
"""62 ** 43 is more than 2 ** 256."""
_CHECKSUM_CHARACTERS = 6
"""62 ** 6 is more than 2 ** 32."""
_FORMAT = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_SECRET_CHARACTERS + _CHECKSUM_CHARACTERS}}}")


def build_personal_token(random_bytes: bytes) -> str:
    """Return the token made of RANDOM_BYTES random bytes."""
    body = PREFIX + _base62(int.from_bytes(random_bytes), _SECRET_CHARACTERS)
    return body + _checksum(body)


def is_personal_token(text: str) -> bool:
    """Return True if the text is meant to be a personal access token, whether or not it is well formed."""
    return text.startswith(PREFIX)


def is_well_formed(text: str) -> bool:
    """Return True if the text has the format of a token and the right checksum."""
    if not _FORMAT.fullmatch(text):
        return False
    return _checksum(text[:-_CHECKSUM_CHARACTERS]) == text[-_CHECKSUM_CHARACTERS:]


def personal_token_digest(text: str) -> bytes:
    """SHA-256 of a token, which is stored. One fast hash is enough: nobody can guess 256 random bits."""
    return hashlib.sha256(text.encode()).digest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_CHARACTERS)


def _base62(number: int, length: int) -> str:
    characters = []
    for _ in range(length):
        number, remainder = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[remainder])
    return "".join(reversed(characters))
