"""Format of personal access tokens, which scanners and the gateway rely on."""

import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.personal_tokens import build_personal_token, is_well_formed, personal_token_digest

SECRET_SCANNING = re.compile(r"\btm_[0-9A-Za-z]{49}\b")
TOKEN = build_personal_token(bytes(range(32)))
RANDOM = st.binary(min_size=32, max_size=32)


@given(RANDOM)
def test_every_token_matches_the_scanning_pattern(random_bytes):
    """The pattern of docs/security.md finds every token, and the token is well formed."""
    token = build_personal_token(random_bytes)
    assert SECRET_SCANNING.fullmatch(token)
    assert is_well_formed(token)


@given(RANDOM, RANDOM)
def test_different_random_bytes_give_different_tokens(one, other):
    assert (build_personal_token(one) == build_personal_token(other)) == (one == other)


def test_checksum_is_crc32_in_base62():
    """The format must not change: tokens live for a year, and other programs check the checksum."""
    assert TOKEN.startswith("tm_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf")
    number = 0
    for character in TOKEN[-6:]:
        number = number * 62 + "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".index(character)
    assert number == zlib.crc32(TOKEN[:-6].encode())


@given(st.integers(3, len(TOKEN) - 1), st.sampled_from("0aZ"))
def test_one_wrong_character_is_noticed(position, character):
    typed = TOKEN[:position] + character + TOKEN[position + 1 :]
    assert is_well_formed(typed) == (typed == TOKEN)


@pytest.mark.parametrize(
    "text",
    ["", "tm_", TOKEN[:-1], TOKEN + "0", TOKEN + "\n", " " + TOKEN, TOKEN.upper(), "tn_" + TOKEN[3:], "tm_" + "é" * 49],
)
def test_text_of_another_format_is_not_well_formed(text):
    assert not is_well_formed(text)


def test_digest_does_not_contain_the_token():
    assert len(personal_token_digest(TOKEN)) == 32
    assert TOKEN.encode() not in personal_token_digest(TOKEN)
