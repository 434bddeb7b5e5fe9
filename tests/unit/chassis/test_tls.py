"""The files of mutual TLS: told what is wrong at the start, and which state of them is taken up later."""

import time
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP521R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic_settings import SettingsConfigDict

from chassis.settings import load_settings
from chassis.tls.reloader import CertificateReloader
from chassis.tls.files import TlsFiles
from chassis.tls.files import InvalidTlsFiles
from chassis.tls.settings import Target, TlsSettings
from tests.certificates import Authority


class ExampleSettings(TlsSettings):
    model_config = SettingsConfigDict(env_prefix="EXAMPLE_")

    size: int = 3
    target: Target = "localhost:1"


@pytest.fixture
def authority():
    return Authority()


@pytest.fixture
def files(authority, tmp_path) -> TlsFiles:
    return authority.put(tmp_path / "client", "gateway")


def always_new(files: TlsFiles) -> CertificateReloader:
    """Certificates that are looked at whenever they are asked for."""
    return CertificateReloader(files, look_every=0)


def test_files_that_stay_as_they_are_stay_one_identity(files):
    certificates = always_new(files)
    assert certificates.current() is certificates.current()


def test_half_a_file_changes_nothing_and_the_whole_one_is_taken_up(files, authority, capsys):
    certificates = always_new(files)
    before = certificates.current()
    whole, key = authority.issue("gateway")
    files.key.write_bytes(key)
    assert certificates.current() is before  # the key of another certificate
    files.certificate.write_bytes(whole[: len(whole) // 2])
    assert certificates.current() is before
    assert certificates.current() is before
    files.certificate.unlink()
    assert certificates.current() is before
    files.certificate.write_bytes(whole)
    assert (certificates.current().certificate, certificates.current().key) == (whole, key)
    # Once for each state of the files, and nothing of what is in them.
    told = capsys.readouterr()
    assert (told.out + told.err).count("can't be used") == 3
    assert "BEGIN" not in told.out + told.err


def test_an_expired_certificate_takes_no_good_ones_place(files, authority):
    certificates = always_new(files)
    before = certificates.current()
    authority.put(files.certificate.parent, "gateway", expires_in=-timedelta(seconds=1))
    assert certificates.current() is before


def test_a_folder_that_is_swapped_by_its_symbolic_link_is_taken_up(authority, tmp_path):
    authority.put(tmp_path / "one", "gateway")
    authority.put(tmp_path / "two", "gateway")
    (tmp_path / "..data").symlink_to("one")
    mounted = [tmp_path / name for name in ("tls.crt", "tls.key", "ca.crt")]
    for path in mounted:
        path.symlink_to(Path("..data") / path.name)
    certificates = always_new(TlsFiles(*mounted))
    assert certificates.current().certificate == (tmp_path / "one" / "tls.crt").read_bytes()
    (tmp_path / "..data_tmp").symlink_to("two")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    assert certificates.current().certificate == (tmp_path / "two" / "tls.crt").read_bytes()


def test_a_certificate_that_only_becomes_valid_later_is_taken_up_then(files, authority, monkeypatch):
    """Its authority's clock is a little ahead: the files don't change any more, and yet they are looked at again."""
    certificates = always_new(files)
    before = certificates.current()
    authority.put(files.certificate.parent, "gateway")
    with monkeypatch.context() as earlier:
        yesterday = time.time() - 86_400
        earlier.setattr("chassis.tls.time.time", lambda: yesterday)
        assert certificates.current() is before
    assert certificates.current().certificate == files.certificate.read_bytes() != before.certificate


def test_no_representation_shows_the_key(files):
    shown = f"{always_new(files).current()!r}"
    assert "gateway" in shown
    assert "PRIVATE KEY" not in shown


@pytest.fixture
def told(monkeypatch, capsys):
    """What is told at the start about some files and other settings; nothing where all is well."""

    def problems(files: TlsFiles | None, **more: str) -> list[str]:
        given = {}
        if files:
            given = {
                "TLS_CERTIFICATE_FILE": str(files.certificate),
                "TLS_KEY_FILE": str(files.key),
                "TLS_AUTHORITY_FILE": str(files.authority),
            }
        for name, value in (given | more).items():
            monkeypatch.setenv(f"EXAMPLE_{name}", value)
        try:
            load_settings(ExampleSettings)
        except SystemExit:
            return [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()]
        return []

    return problems


def test_three_good_files_or_none_are_taken(files, told):
    assert told(None) == []
    assert told(files) == []
    assert load_settings(ExampleSettings).tls == files


@pytest.mark.parametrize("missing", ["CERTIFICATE", "KEY", "AUTHORITY"])
def test_two_of_the_three_are_refused(files, told, missing):
    assert told(files, **{f"TLS_{missing}_FILE": ""}) == ["EXAMPLE_TLS_AUTHORITY_FILE"]


def test_all_that_is_wrong_is_told_at_once(files, told):
    files.certificate.unlink()
    files.key.write_text("nothing like a key")
    files.authority.write_text("-----BEGIN CERTIFICATE-----")
    names = ["TLS_CERTIFICATE_FILE", "TLS_KEY_FILE", "TLS_AUTHORITY_FILE", "SIZE"]
    assert told(files, SIZE="large") == [f"EXAMPLE_{name}" for name in names]


def test_an_expired_authority_beside_a_good_one_does_no_harm_and_alone_is_refused(files, told, authority):
    files.authority.write_bytes(Authority("old", expires_in=-timedelta(seconds=1)).certificate + authority.certificate)
    assert told(files) == []
    files.authority.write_bytes(Authority("old", expires_in=-timedelta(seconds=1)).certificate)
    assert told(files) == ["EXAMPLE_TLS_AUTHORITY_FILE"]


def test_the_key_of_another_certificate_is_refused(files, told, authority):
    files.key.write_bytes(authority.issue()[1])
    assert told(files) == ["EXAMPLE_TLS_KEY_FILE"]


@pytest.mark.parametrize("make", [Ed25519PrivateKey.generate, lambda: generate_private_key(SECP521R1())])
def test_a_key_that_grpc_can_do_nothing_with_is_refused_instead_of_failing_every_handshake(files, make):
    files.key.write_bytes(make().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(InvalidTlsFiles, match="gRPC can't use"):
        CertificateReloader(files)


def test_what_is_wrong_with_a_file_is_told_without_what_is_in_it(files, authority):
    files.key.write_bytes(b"-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n")
    with pytest.raises(InvalidTlsFiles, match="no private key") as broken:
        CertificateReloader(files)
    assert "Y2FuYXJ5" not in f"{broken.value}"
    files.key.write_bytes(authority.issue()[1])
    with pytest.raises(InvalidTlsFiles, match="not the key of the certificate"):
        CertificateReloader(files)
    files.key.unlink()
    with pytest.raises(InvalidTlsFiles, match="No such file"):
        CertificateReloader(files)


def test_a_certificate_that_is_not_valid_today_is_refused(authority, told, tmp_path):
    assert told(authority.put(tmp_path, expires_in=-timedelta(hours=1))) == ["EXAMPLE_TLS_CERTIFICATE_FILE"]


def test_with_tls_a_target_has_one_name(files, told):
    several = "ipv4:127.0.0.1:1,127.0.0.1:2"
    assert told(None, TARGET=several) == []
    assert told(files, TARGET=several) == ["EXAMPLE_TARGET"]
