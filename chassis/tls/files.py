"""Certificate files: reading and checking them."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

_PARSE_ERRORS = (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
_CURVES = {"secp256r1", "secp384r1"}

Version = tuple[tuple[int, ...], ...]
"""Identity of a state of the files, known without reading them: device, inode, size and times."""


class InvalidTlsFiles(ValueError):
    """A file, or a combination of files, that TLS can't use. The message does not quote the content."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Three PEM files: a certificate with its intermediates, its private key, and the authorities."""

    certificate: Path
    key: Path
    authority: Path

    def version(self) -> Version:
        """Return the state of the files. Raises OSError if one is missing."""
        stats = [path.stat() for path in (self.certificate, self.key, self.authority)]
        return tuple((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for stat in stats)


@dataclass(frozen=True, slots=True)
class CertificateBundle:
    """Content of the files at one time."""

    certificate: bytes
    key: bytes = field(repr=False)
    authority: bytes
    names: tuple[str, ...]
    expires_at: float

    @classmethod
    def read(cls, files: TlsFiles) -> Self:
        """Read and check the files. InvalidTlsFiles names the first problem."""
        # Each file is read once, so what was checked is what is used, even if the files change meanwhile.
        certificate, key, authority = read_file(files.certificate), read_file(files.key), read_file(files.authority)
        leaf = check_certificate(files.certificate, certificate)
        check_key(files.key, key, leaf)
        check_authority(files.authority, authority)
        return cls(certificate, key, authority, _names(leaf), leaf.not_valid_after_utc.timestamp())


def read_file(path: Path) -> bytes:
    """Return the content of a file. Raises InvalidTlsFiles."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidTlsFiles(f"{path} can't be read: {os.strerror(error.errno or 0)}") from None


def check_certificate(path: Path, content: bytes) -> x509.Certificate:
    """Return the service's own certificate, the first in the file. Raises InvalidTlsFiles if it is not valid today."""
    leaf = _parse_certificates(path, content)[0]
    if not _is_valid(leaf):
        raise InvalidTlsFiles(f"{path} holds a certificate that is not valid today")
    return leaf


def check_authority(path: Path, content: bytes) -> None:
    """Raise InvalidTlsFiles unless at least one authority is valid today."""
    if not any(map(_is_valid, _parse_certificates(path, content))):
        raise InvalidTlsFiles(f"{path} holds no authority that is valid today")


def check_key(path: Path, content: bytes, certificate: x509.Certificate | None) -> None:
    """Raise InvalidTlsFiles unless this is a usable private key, and the key of the certificate if one is given."""
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # in this order: malformed, encrypted, unknown
        raise InvalidTlsFiles(f"{path} holds no private key in PEM without a passphrase") from None
    # Other keys load, but every handshake with them fails.
    if not (isinstance(key, RSAPrivateKey) or (isinstance(key, EllipticCurvePrivateKey) and key.curve.name in _CURVES)):
        raise InvalidTlsFiles(f"{path} holds a key that gRPC can't use: it takes RSA, and ECDSA on P-256 or P-384")
    encoding = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if certificate and key.public_key().public_bytes(*encoding) != certificate.public_key().public_bytes(*encoding):
        raise InvalidTlsFiles(f"{path} is not the key of the certificate")


def _parse_certificates(path: Path, content: bytes) -> list[x509.Certificate]:
    try:
        certificates = x509.load_pem_x509_certificates(content)
        for certificate in certificates:
            certificate.public_key()
            certificate.extensions  # noqa: B018 - the library parses extensions on access
    except _PARSE_ERRORS:
        raise InvalidTlsFiles(f"{path} holds no certificates in PEM, or malformed ones") from None
    return certificates


def _is_valid(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_before_utc.timestamp() <= time.time() < certificate.not_valid_after_utc.timestamp()


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = names.get_values_for_type(x509.IPAddress)
    return (*names.get_values_for_type(x509.DNSName), *map(str, addresses))
