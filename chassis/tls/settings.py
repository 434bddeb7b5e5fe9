"""Settings for mutual TLS, completely checked before the service starts."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from chassis.settings import Settings
from chassis.tls.files import TlsFiles, check_authority, check_certificate, check_key, read_file


def _require_certificate(path: Path) -> Path:
    check_certificate(path, read_file(path))
    return path


def _require_authority(path: Path) -> Path:
    check_authority(path, read_file(path))
    return path


CertificateFile = Annotated[Path, AfterValidator(_require_certificate)]
AuthorityFile = Annotated[Path, AfterValidator(_require_authority)]


class TlsSettings(Settings):
    """Settings of a service with optional mutual TLS: all three files, or none for plaintext connections."""

    tls_certificate_file: CertificateFile | None = None
    tls_key_file: Path | None = None
    tls_authority_file: AuthorityFile | None = Field(default=None, validate_default=True)

    @field_validator("tls_key_file")
    @classmethod
    def _require_key_of_certificate(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        certificate = info.data.get("tls_certificate_file")
        if path:
            leaf = check_certificate(certificate, read_file(certificate)) if certificate else None
            check_key(path, read_file(path), leaf)
        return path

    @field_validator("tls_authority_file")
    @classmethod
    def _require_all_or_none(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        # An invalid file is missing in the data, although it was set.
        are_set = [info.data.get(name, True) is not None for name in ("tls_certificate_file", "tls_key_file")]
        if {*are_set, path is not None} == {True, False}:
            raise ValueError("a certificate, its key and an authority are needed, or none of the three")
        return path

    @property
    def tls(self) -> TlsFiles | None:
        """The files; None for plaintext connections."""
        if not (self.tls_certificate_file and self.tls_key_file and self.tls_authority_file):
            return None
        return TlsFiles(self.tls_certificate_file, self.tls_key_file, self.tls_authority_file)


def _require_one_host_name(target: str, info: ValidationInfo) -> str:
    # gRPC checks the certificate of every address against the single name of the target.
    if info.data.get("tls_authority_file") and "," in target:
        raise ValueError("with TLS a target must be one name; use a DNS name with several addresses instead of a list")
    return target


Target = Annotated[str, AfterValidator(_require_one_host_name)]
"""gRPC target of a service, for settings classes that derive from TlsSettings."""
