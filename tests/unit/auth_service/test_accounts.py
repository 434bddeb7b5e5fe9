"""Validation of usernames and emails, and their lookup keys."""

import unicodedata
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_service.domain.accounts import Registration, lookup_key, validate_email, validate_username
from auth_service.domain.errors import InvalidEmail, InvalidUsername, RoleNotGrantable
from auth_service.domain.passwords import PasswordRules
from auth_service.domain.roles import Role
from chassis.kernel.errors import Invalid, MissingField

RULES = PasswordRules(min_characters=6, use_blocklist=False)


@pytest.mark.parametrize(
    "text",
    ["a", "x" * 64, "Grace Hopper", "Привет", "李小龍", "o'neil", "josé", "a.b-c_d", "👩‍🚀".replace("\u200d", "")],
)
def test_username_may_use_any_script(text):
    assert validate_username(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "x" * 65,
        "ﷺ" * 4,  # each has 18 characters in NFKC
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
def test_invisible_or_long_usernames_are_rejected(text):
    with pytest.raises(InvalidUsername):
        validate_username(text)


@pytest.mark.parametrize("text", ["", " ", "\u2003"])
def test_blank_username_is_a_missing_field(text):
    with pytest.raises(MissingField):
        validate_username(text)


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
def test_lookup_key_ignores_case_and_spelling(one, other):
    assert lookup_key(one) == lookup_key(other)


@given(st.text(max_size=80))
def test_valid_usernames_are_visible_short_and_stable(text):
    """Every valid username is visible, fits the limit, is its own normal form and keeps its lookup key."""
    try:
        name = validate_username(text)
    except Invalid:
        return
    assert 1 <= len(name) <= 64
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"} for character in name)
    assert validate_username(name) == name
    assert lookup_key(name) == lookup_key(text) == lookup_key(lookup_key(name)) != ""


@pytest.mark.parametrize(
    "text",
    ["a@b.co", "first.last+tag@sub.example.com", "用户@例子.公司", "o'neil@example.com", "a" * 64 + "@example.com"],
)
def test_valid_emails_are_accepted(text):
    assert validate_email(f" {text} ") == text


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
def test_malformed_emails_are_rejected(text):
    with pytest.raises(InvalidEmail):
        validate_email(text)


@given(st.text(max_size=80))
def test_email_validation_never_crashes(text):
    """Any text is either an email, which is then stable, or raises Invalid."""
    try:
        email = validate_email(text)
    except Invalid:
        return
    assert validate_email(email) == email
    assert lookup_key(email) == lookup_key(text)


def test_registration_grants_only_grantable_roles():
    registration = Registration("ada", "ada@example.com", "test123", role="admin")
    with pytest.raises(RoleNotGrantable):
        registration.create_user(RULES, user_id=uuid4(), now=datetime.now(UTC))
    admin = registration.create_user(
        RULES, user_id=uuid4(), now=datetime.now(UTC), grantable_roles=frozenset({Role.ADMIN})
    )
    assert admin.role is Role.ADMIN


def test_registration_repr_hides_the_password():
    assert "test123" not in repr(Registration("ada", "ada@example.com", "test123"))
