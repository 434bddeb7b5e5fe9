"""Usernames that mix scripts, such as Latin and Cyrillic letters."""

import sys
import unicodedata

import pytest

from auth_service.domain.accounts import validate_new_username, validate_username
from auth_service.domain.errors import MixedScripts
from auth_service.domain.unicode_scripts import is_highly_restrictive, scripts_of


@pytest.mark.parametrize(
    "name",
    [
        "\u0430dmin",  # Cyrillic a
        "adm\u0456n",  # Cyrillic i
        "ADMI\u039d",  # Greek Nu
        "\u0585live",  # Armenian o
        "\u13aadmin",  # Cherokee Go, like an A
        "Иван Ivan",
        "Ив\u03b1н",  # Greek alpha
        "李 Иван",
        "さくら 김",
        "ソニー ㄅ",
        "sonu\u0e01",  # Thai
    ],
    ids=ascii,
)
def test_new_username_must_not_mix_scripts(name):
    with pytest.raises(MixedScripts):
        validate_new_username(name)
    # An account that already has the name is still found by it.
    assert validate_username(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "Grace Hopper",
        "josé-7",
        "q\u0308",  # a letter with a mark that makes no single character
        "Иван 42",
        "李小龍 Bruce",
        "ソニー Sony さくら 李",
        "김 Kim 金",
        "ㄅㄆ Li 李",
        "Ελένη",
        "दिनेश १२",
        "12 - 34",
        "👩🚀",
    ],
    ids=ascii,
)
def test_new_username_may_use_any_script(name):
    assert validate_new_username(name) == name


@pytest.mark.parametrize(
    ("word", "script"),
    [
        ("LATIN", "Latn"),
        ("CYRILLIC", "Cyrl"),
        ("GREEK", "Grek"),
        ("ARMENIAN", "Armn"),
        ("HEBREW", "Hebr"),
        ("ARABIC", "Arab"),
        ("GEORGIAN", "Geor"),
        ("CHEROKEE", "Cher"),
        ("DEVANAGARI", "Deva"),
        ("HANGUL", "Hang"),
        ("HIRAGANA", "Hira"),
        ("KATAKANA", "Kana"),
        ("CJK UNIFIED", "Hani"),
        ("DESERET", "Dsrt"),
    ],
)
def test_table_agrees_with_the_names_of_letters(word, script):
    """Every letter that Unicode names after a script has this script in the table."""
    letters = [
        letter
        for letter in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(letter).startswith("L")
        and unicodedata.name(letter, "").startswith(f"{word} ")
        and unicodedata.is_normalized("NFKC", letter)
    ]
    assert letters
    assert [f"U+{ord(letter):04X}" for letter in letters if script not in scripts_of(letter)] == []


def test_empty_text_mixes_no_scripts():
    assert is_highly_restrictive("")
