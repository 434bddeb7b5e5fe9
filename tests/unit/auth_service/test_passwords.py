"""Which passwords are good enough."""

import pytest

from auth_service.domain.errors import PasswordRepeatsAccount, PasswordTooCommon, PasswordTooLong, PasswordTooShort
from auth_service.domain.passwords import PasswordRules
from chassis.kernel.errors import MissingField

RULES = PasswordRules(least_characters=12, use_blocklist=True)
ACCOUNT = {"username": "grace hopper", "email": "grace.hopper@example.com"}


@pytest.mark.parametrize(
    "password", ["correct horse", "пароль длиннее", "🐴🔋📎🐴🔋📎🐴🔋📎🐴🔋📎", "nul\0 and tab\t", " " * 6 + "spaces"]
)
def test_any_characters_will_do(password):
    RULES.check(password, **ACCOUNT)


@pytest.mark.parametrize(
    ("password", "error"),
    [
        ("", MissingField),
        ("x" * 11, PasswordTooShort),
        ("ab" * 513, PasswordTooLong),
        ("é" * 513, PasswordTooLong),
        ("PASSWORD1234", PasswordTooCommon),
        ("\uff30\uff21\uff33\uff33\uff37\uff2f\uff32\uff24\uff11\uff12\uff13\uff14", PasswordTooCommon),
        ("zzzzzzzzzzzzz", PasswordTooCommon),
        ("Grace Hopper", PasswordRepeatsAccount),
        ("grace.hopper", PasswordRepeatsAccount),
        ("grace.hopper@EXAMPLE.com", PasswordRepeatsAccount),
    ],
)
def test_each_refusal_has_its_own_reason(password, error):
    with pytest.raises(error):
        RULES.check(password, **ACCOUNT)


def test_length_counts_in_characters_and_the_limit_in_bytes():
    RULES.check("é" * 12 + "abc", **ACCOUNT)
    RULES.check("é" * 511 + "ab", **ACCOUNT)


def test_the_reason_of_a_short_password_says_how_long_it_must_be():
    with pytest.raises(PasswordTooShort, match="at least 12 characters"):
        RULES.check("short", **ACCOUNT)


def test_without_the_blocklist_only_length_counts():
    PasswordRules(least_characters=6, use_blocklist=False).check("123456", **ACCOUNT)
