"""Service credentials, scopes, trust cursors, signing keys and encrypted secrets."""

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
    MalformedServiceCredential,
    UnknownScope,
    WrongEncryptionKey,
)
from auth_service.domain.service_accounts import Scope, ServiceAccount, ServiceCredential, parse_scopes
from auth_service.domain.signing_keys import SigningKey, current_signing_key
from auth_service.domain.trust import RevocationPosition, TrustCursor
from chassis.kernel.errors import MissingField

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.binary(min_size=32, max_size=32))
def test_generated_credential_round_trips(randomness):
    credential = ServiceCredential.generate("reports", random_bytes=randomness)
    assert ServiceCredential.parse(credential.reveal()) == credential
    assert credential.secret not in repr(credential)


@given(st.text())
def test_credential_parser_raises_domain_errors_only(text):
    with pytest.raises((MalformedServiceCredential, MissingField)):
        ServiceCredential.parse(text)


@pytest.mark.parametrize("name", ["", "Reports", "1a", "a.b", "a b", "a" * 64, "ä", "a\n"])
def test_invalid_service_names_are_rejected(name):
    with pytest.raises(InvalidServiceName):
        ServiceCredential.generate(name, random_bytes=bytes(32))


def test_account_accepts_its_credential_unless_disabled():
    own = ServiceCredential.generate("reports", random_bytes=bytes(32))
    other = ServiceCredential.generate("reports", random_bytes=bytes([1] * 32))

    def account(*, disabled: bool) -> ServiceAccount:
        return ServiceAccount(uuid4(), "reports", frozenset({Scope.TASKS_READ}), own.digest, NOW, disabled)

    assert account(disabled=False).accepts(own)
    assert not account(disabled=False).accepts(other)
    assert not account(disabled=True).accepts(own)


def test_unknown_scope_error_lists_the_known_scopes():
    with pytest.raises(UnknownScope, match=r"Unknown scope 'all'. Use one of .*tasks:read"):
        parse_scopes(["tasks:read", "all"])
    with pytest.raises(MissingField):
        parse_scopes([])


TRANSACTION_IDS = st.integers(min_value=1, max_value=2**64 - 1)


@given(TRANSACTION_IDS, st.none() | st.builds(RevocationPosition, TRANSACTION_IDS, st.integers(1, 2**63 - 1)))
def test_cursor_round_trips(horizon, page_end):
    cursor = TrustCursor(horizon, page_end)
    assert TrustCursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize(
    "text", ["1.2", "1.2.", "1.2.3.4", "1.0.3", "1.2.0", f"1.{2**64}.1", f"1.1.{2**63}", "1.2.3\n"]
)
def test_malformed_positions_are_rejected(text):
    with pytest.raises(InvalidCursor):
        TrustCursor.parse(text)


@given(st.text(min_size=1).filter(lambda text: not set(text) <= set("0123456789.")))
def test_malformed_cursors_are_rejected(text):
    with pytest.raises(InvalidCursor):
        TrustCursor.parse(text)


def key(kid: str, *, activates: int, retires: int | None = None) -> SigningKey:
    """Return a key whose times are in hours from now."""
    retires_at = None if retires is None else NOW + timedelta(hours=retires)
    return SigningKey(kid, bytes(32), b"", NOW, NOW + timedelta(hours=activates), retires_at)


def test_newest_active_key_signs():
    keys = [
        key("next", activates=1),
        key("now", activates=-1),
        key("before", activates=-2),
        key("ended", activates=0, retires=0),
    ]
    found = current_signing_key(keys, NOW)
    assert found is not None
    assert found.kid == "now"
    assert current_signing_key([key("next", activates=1)], NOW) is None


def test_decryption_needs_the_key_and_the_associated_data():
    encrypted = KeyCipher(bytes(32)).encrypt(b"secret", associated_data=b"one")
    assert KeyCipher(bytes(32)).decrypt(encrypted, associated_data=b"one") == b"secret"
    for cipher, associated_data in ((KeyCipher(bytes([1] * 32)), b"one"), (KeyCipher(bytes(32)), b"other")):
        with pytest.raises(WrongEncryptionKey):
            cipher.decrypt(encrypted, associated_data=associated_data)
    with pytest.raises(WrongEncryptionKey):
        KeyCipher(bytes(32)).decrypt(b"short", associated_data=b"one")


def test_kid_is_the_jwk_thumbprint():
    # The example of RFC 8037, appendix A.3.
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert thumbprint(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
