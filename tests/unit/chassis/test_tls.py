"""TLS files: validation at the start, and reloading later."""

import time
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP521R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic_settings import SettingsConfigDict

from chassis.settings import load_settings
from chassis.tls.files import InvalidTlsFiles, TlsFiles
from chassis.tls.reloader import CertificateReloader
from chassis.tls.settings import Target, TlsSettings
from tests.support.certificates import CertificateAuthority


class ExampleSettings(TlsSettings):
    model_config = SettingsConfigDict(env_prefix="EXAMPLE_")

    size: int = 3
    target: Target = "localhost:1"


@pytest.fixture
def authority():
    return CertificateAuthority()


@pytest.fixture
def files(authority, tmp_path) -> TlsFiles:
    return authority.write(tmp_path / "client", "gateway")


def always_reloading(files: TlsFiles) -> CertificateReloader:
    """Return certificates that are read again at every use."""
    return CertificateReloader(files, check_interval_seconds=0)


def test_unchanged_files_are_not_reloaded(files):
    certificates = always_reloading(files)
    assert certificates.current() is certificates.current()


def test_half_written_file_is_ignored(files, authority, capsys):
    """Half a file changes nothing; the complete one is loaded."""
    certificates = always_reloading(files)
    before = certificates.current()
    certificate, key = authority.issue("gateway")
    files.key.write_bytes(key)
    assert certificates.current() is before  # a key that belongs to another certificate
    files.certificate.write_bytes(certificate[: len(certificate) // 2])
    assert certificates.current() is before
    assert certificates.current() is before
    files.certificate.unlink()
    assert certificates.current() is before
    files.certificate.write_bytes(certificate)
    assert (certificates.current().certificate, certificates.current().key) == (certificate, key)
    # Logged once for each state of the files, without their content.
    output = capsys.readouterr()
    assert (output.out + output.err).count("are unusable") == 3
    assert "BEGIN" not in output.out + output.err


def test_expired_certificate_replaces_no_valid_one(files, authority):
    certificates = always_reloading(files)
    before = certificates.current()
    authority.write(files.certificate.parent, "gateway", expires_in=-timedelta(seconds=1))
    assert certificates.current() is before


def test_folder_swapped_by_symlink_is_reloaded(authority, tmp_path):
    authority.write(tmp_path / "one", "gateway")
    authority.write(tmp_path / "two", "gateway")
    (tmp_path / "..data").symlink_to("one")
    mounted = [tmp_path / name for name in ("tls.crt", "tls.key", "ca.crt")]
    for path in mounted:
        path.symlink_to(Path("..data") / path.name)
    certificates = always_reloading(TlsFiles(*mounted))
    assert certificates.current().certificate == (tmp_path / "one" / "tls.crt").read_bytes()
    (tmp_path / "..data_tmp").symlink_to("two")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    assert certificates.current().certificate == (tmp_path / "two" / "tls.crt").read_bytes()


def test_certificate_is_loaded_when_it_becomes_valid(files, authority, monkeypatch):
    """The authority's clock is a little ahead. The files are read again although they do not change any more."""
    certificates = always_reloading(files)
    before = certificates.current()
    authority.write(files.certificate.parent, "gateway")
    with monkeypatch.context() as earlier:
        yesterday = time.time() - 86_400
        earlier.setattr("chassis.tls.files.time.time", lambda: yesterday)
        assert certificates.current() is before
    assert certificates.current().certificate == files.certificate.read_bytes() != before.certificate


def test_no_representation_shows_the_key(files):
    shown = f"{always_reloading(files).current()!r}"
    assert "gateway" in shown
    assert "PRIVATE KEY" not in shown


@pytest.fixture
def start_errors(monkeypatch, capsys):
    """Return a function that lists the errors at the start for these files; empty when they are valid."""

    def start_errors(files: TlsFiles | None, **more: str) -> list[str]:
        environment = {}
        if files:
            environment = {
                "TLS_CERTIFICATE_FILE": str(files.certificate),
                "TLS_KEY_FILE": str(files.key),
                "TLS_AUTHORITY_FILE": str(files.authority),
            }
        for name, value in (environment | more).items():
            monkeypatch.setenv(f"EXAMPLE_{name}", value)
        try:
            load_settings(ExampleSettings)
        except SystemExit:
            return [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()]
        return []

    return start_errors


def test_three_valid_files_or_none_are_accepted(files, start_errors):
    assert start_errors(None) == []
    assert start_errors(files) == []
    assert load_settings(ExampleSettings).tls == files


@pytest.mark.parametrize("missing", ["CERTIFICATE", "KEY", "AUTHORITY"])
def test_two_of_three_files_are_refused(files, start_errors, missing):
    assert start_errors(files, **{f"TLS_{missing}_FILE": ""}) == ["EXAMPLE_TLS_AUTHORITY_FILE"]


def test_all_problems_of_files_are_reported_at_once(files, start_errors):
    files.certificate.unlink()
    files.key.write_text("nothing like a key")
    files.authority.write_text("-----BEGIN CERTIFICATE-----")
    names = ["TLS_CERTIFICATE_FILE", "TLS_KEY_FILE", "TLS_AUTHORITY_FILE", "SIZE"]
    assert start_errors(files, SIZE="large") == [f"EXAMPLE_{name}" for name in names]


def test_expired_authority_is_refused_only_alone(files, start_errors, authority):
    """An expired authority beside a valid one is accepted; alone it is refused."""
    files.authority.write_bytes(
        CertificateAuthority("old", expires_in=-timedelta(seconds=1)).certificate + authority.certificate
    )
    assert start_errors(files) == []
    files.authority.write_bytes(CertificateAuthority("old", expires_in=-timedelta(seconds=1)).certificate)
    assert start_errors(files) == ["EXAMPLE_TLS_AUTHORITY_FILE"]


def test_key_of_another_certificate_is_refused(files, start_errors, authority):
    files.key.write_bytes(authority.issue()[1])
    assert start_errors(files) == ["EXAMPLE_TLS_KEY_FILE"]


@pytest.mark.parametrize("make", [Ed25519PrivateKey.generate, lambda: generate_private_key(SECP521R1())])
def test_key_type_that_grpc_lacks_is_refused(files, make):
    """A key that gRPC cannot use is refused at loading, instead of failing every handshake."""
    files.key.write_bytes(make().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(InvalidTlsFiles, match="gRPC can't use"):
        CertificateReloader(files)


def test_error_about_a_file_hides_its_content(files, authority):
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


def test_certificate_outside_its_validity_is_refused(authority, start_errors, tmp_path):
    assert start_errors(authority.write(tmp_path, expires_in=-timedelta(hours=1))) == ["EXAMPLE_TLS_CERTIFICATE_FILE"]


def test_tls_target_must_have_one_name(files, start_errors):
    several = "ipv4:127.0.0.1:1,127.0.0.1:2"
    assert start_errors(None, TARGET=several) == []
    assert start_errors(files, TARGET=several) == ["EXAMPLE_TARGET"]
