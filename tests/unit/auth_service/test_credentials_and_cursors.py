"""Small values that strangers send: credentials and cursors."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_service.crypto.cipher import KeyCipher
from auth_service.crypto.signer import thumbprint
from auth_service.domain.errors import (
    InvalidCursor,
    InvalidServiceName,
    UnknownScope,
    WeakServiceCredential,
    WrongEncryptionKey,
)
from auth_service.domain.keys import SigningKey, signing_key
from auth_service.domain.service_accounts import Scope, ServiceAccount, ServiceCredential, accept_scopes
from auth_service.domain.trust import TrustCursor
from chassis.kernel.errors import MissingField

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.binary(min_size=32, max_size=32))
def test_a_generated_credential_reads_back_as_itself(randomness):
    credential = ServiceCredential.generate("reports", randomness=randomness)
    assert ServiceCredential.parse(credential.reveal()) == credential
    assert credential.secret not in repr(credential)


@given(st.text())
def test_a_credential_is_refused_in_the_domains_words_whatever_it_is(text):
    with pytest.raises((WeakServiceCredential, MissingField)):
        ServiceCredential.parse(text)


@pytest.mark.parametrize("name", ["", "Reports", "1a", "a.b", "a b", "a" * 64, "ä", "a\n"])
def test_a_service_is_named_plainly(name):
    with pytest.raises(InvalidServiceName):
        ServiceCredential.generate(name, randomness=bytes(32))


def test_an_account_accepts_its_own_credential_unless_it_is_disabled():
    own = ServiceCredential.generate("reports", randomness=bytes(32))
    other = ServiceCredential.generate("reports", randomness=bytes([1] * 32))

    def account(*, disabled: bool) -> ServiceAccount:
        return ServiceAccount(uuid4(), "reports", frozenset({Scope.TASKS_READ}), own.digest, NOW, disabled)

    assert account(disabled=False).accepts(own)
    assert not account(disabled=False).accepts(other)
    assert not account(disabled=True).accepts(own)


def test_an_unknown_scope_is_named_with_those_there_are():
    with pytest.raises(UnknownScope, match=r"no scope 'all'; there are .*tasks:read"):
        accept_scopes(["tasks:read", "all"])
    with pytest.raises(MissingField):
        accept_scopes([])


@given(st.integers(min_value=1, max_value=2**64 - 1))
def test_a_cursor_reads_back_as_itself(number):
    assert TrustCursor.parse(str(TrustCursor(number))) == TrustCursor(number)


@given(st.text(min_size=1).filter(lambda text: not (text.isascii() and text.isdecimal())))
def test_any_other_text_is_no_cursor(text):
    with pytest.raises(InvalidCursor):
        TrustCursor.parse(text)


def key(kid: str, *, begins: int, ends: int | None = None) -> SigningKey:
    """A key whose times are hours from now."""
    retires = None if ends is None else NOW + timedelta(hours=ends)
    return SigningKey(kid, bytes(32), b"", NOW, NOW + timedelta(hours=begins), retires)


def test_the_newest_key_that_has_begun_and_not_ended_signs():
    keys = [key("next", begins=1), key("now", begins=-1), key("before", begins=-2), key("ended", begins=0, ends=0)]
    found = signing_key(keys, NOW)
    assert found is not None
    assert found.kid == "now"
    assert signing_key([key("next", begins=1)], NOW) is None


def test_a_sealed_secret_opens_under_its_own_key_and_context_only():
    sealed = KeyCipher(bytes(32)).seal(b"secret", context=b"one")
    assert KeyCipher(bytes(32)).open(sealed, context=b"one") == b"secret"
    for cipher, context in ((KeyCipher(bytes([1] * 32)), b"one"), (KeyCipher(bytes(32)), b"other")):
        with pytest.raises(WrongEncryptionKey):
            cipher.open(sealed, context=context)
    with pytest.raises(WrongEncryptionKey):
        KeyCipher(bytes(32)).open(b"short", context=b"one")


def test_a_key_is_named_by_its_thumbprint():
    # The example of RFC 8037, appendix A.3.
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert thumbprint(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
