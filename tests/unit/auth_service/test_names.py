"""Usernames and emails: what may be one, and when two are the same."""

import unicodedata
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_service.domain.accounts import Registration, accept_email, accept_username, account_key
from auth_service.domain.errors import InvalidEmail, InvalidUsername, RoleNotGrantable
from auth_service.domain.passwords import PasswordRules
from chassis.kernel.errors import Invalid
from chassis.kernel.errors import MissingField
from task_service.access import Role

RULES = PasswordRules(least_characters=6, use_blocklist=False)


@pytest.mark.parametrize(
    "text",
    ["a", "x" * 64, "Grace Hopper", "Привет", "李小龍", "o'neil", "josé", "a.b-c_d", "👩‍🚀".replace("\u200d", "")],
)
def test_a_name_in_any_script_is_a_username(text):
    assert accept_username(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "x" * 65,
        "ﷺ" * 4,  # 18 characters each, once in their normal form
        " leading",
        "trailing ",
        "a\0b",
        "a\x1bb",
        "a\u200bb",
        "a\u200db",
        "\u202eadmin",
        "a\u2028b",
        "a\ue000b",
        "a\u0378b",
        "\u3164",
        "a\u2800b",
        "a\ufe0fb",
        "a\U000e0041b",
        "\u0301a",
    ],
    ids=ascii,
)
def test_what_does_not_show_or_is_too_long_is_no_username(text):
    with pytest.raises(InvalidUsername):
        accept_username(text)


@pytest.mark.parametrize("text", ["", " ", "\u2003"])
def test_a_blank_username_is_missing(text):
    with pytest.raises(MissingField):
        accept_username(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Admin", "aDMIN"),
        ("straße", "STRASSE"),
        ("\uff53\uff4f\uff4e\uff55", "sonu"),  # full width
        ("e\u0301", "é"),
        ("ﬁ", "FI"),
        ("Ⅷ", "viii"),
    ],
)
def test_names_that_differ_by_case_or_spelling_only_are_one(one, other):
    assert account_key(one) == account_key(other)


@given(st.text(max_size=80))
def test_whatever_is_accepted_shows_fits_and_keeps_its_key(text):
    try:
        name = accept_username(text)
    except Invalid:
        return
    assert 1 <= len(name) <= 64
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"} for character in name)
    assert accept_username(name) == name
    assert account_key(name) == account_key(text) == account_key(account_key(name)) != ""


@pytest.mark.parametrize(
    "text",
    ["a@b.co", "first.last+tag@sub.example.com", "用户@例子.公司", "o'neil@example.com", "a" * 64 + "@example.com"],
)
def test_an_address_with_a_name_and_a_domain_is_an_email(text):
    assert accept_email(f" {text} ") == text


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "@",
        "a@",
        "@b.co",
        "a@b",
        "a@.co",
        "a@b..co",
        "a@-b.co",
        "a@b-.co",
        "a@b.co.",
        "a@b@c.co",
        "a b@c.co",
        "a@b c.co",
        "a\n@b.co",
        "a\u200b@b.co",
        "<a@b.co>",
        "a,b@c.co",
        "a" * 65 + "@example.com",
        "a@" + "b" * 60 + ".c" * 100,
    ],
    ids=ascii,
)
def test_anything_else_is_no_email(text):
    with pytest.raises(InvalidEmail):
        accept_email(text)


@given(st.text(max_size=80))
def test_no_text_breaks_the_check_of_an_email(text):
    try:
        email = accept_email(text)
    except Invalid:
        return
    assert accept_email(email) == email
    assert account_key(email) == account_key(text)


def test_only_what_is_grantable_is_granted():
    asked = Registration("ada", "ada@example.com", "test123", role="admin")
    with pytest.raises(RoleNotGrantable):
        asked.accept(RULES, user_id=uuid4(), now=datetime.now(UTC))
    admin = asked.accept(RULES, user_id=uuid4(), now=datetime.now(UTC), grantable=frozenset({Role.ADMIN}))
    assert admin.role is Role.ADMIN


def test_nothing_prints_the_password_of_a_registration():
    assert "test123" not in repr(Registration("ada", "ada@example.com", "test123"))
