"""The three settings by which a service speaks mutual TLS, wholly checked before it starts."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from chassis.settings import Settings
from chassis.tls.files import TlsFiles
from chassis.tls.files import check_authority
from chassis.tls.files import check_certificate
from chassis.tls.files import check_key
from chassis.tls.files import read_file


def _is_certificate(path: Path) -> Path:
    check_certificate(path, read_file(path))
    return path


def _is_authority(path: Path) -> Path:
    check_authority(path, read_file(path))
    return path


CertificateFile = Annotated[Path, AfterValidator(_is_certificate)]
AuthorityFile = Annotated[Path, AfterValidator(_is_authority)]


class TlsSettings(Settings):
    """The settings of a service that can speak mutual TLS: all three files, or none for calls in the clear."""

    tls_certificate_file: CertificateFile | None = None
    tls_key_file: Path | None = None
    tls_authority_file: AuthorityFile | None = Field(default=None, validate_default=True)

    @field_validator("tls_key_file")
    @classmethod
    def _key_fits(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        certificate = info.data.get("tls_certificate_file")
        if path:
            leaf = check_certificate(certificate, read_file(certificate)) if certificate else None
            check_key(path, read_file(path), leaf)
        return path

    @field_validator("tls_authority_file")
    @classmethod
    def _all_or_none(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        # A file that was refused is not among the data, but it was given.
        given = [info.data.get(name, True) is not None for name in ("tls_certificate_file", "tls_key_file")]
        if {*given, path is not None} == {True, False}:
            raise ValueError("a certificate, its key and an authority are needed, or none of the three")
        return path

    @property
    def tls(self) -> TlsFiles | None:
        """The files; None where calls are in the clear."""
        if not (self.tls_certificate_file and self.tls_key_file and self.tls_authority_file):
            return None
        return TlsFiles(self.tls_certificate_file, self.tls_key_file, self.tls_authority_file)


def _names_one_host(target: str, info: ValidationInfo) -> str:
    # gRPC checks the certificate of every address against the one name that the target has.
    if info.data.get("tls_authority_file") and "," in target:
        raise ValueError("with TLS a target has one name: a DNS name may have many addresses, a list of them has none")
    return target


Target = Annotated[str, AfterValidator(_names_one_host)]
"""A service's gRPC target, in settings whose TLS comes before it."""
