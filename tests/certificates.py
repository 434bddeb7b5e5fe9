"""Certificates for tests, made when they are needed: an authority, and what it certifies."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from chassis.tls.files import TlsFiles

HOUR = timedelta(hours=1)


class Authority:
    """Certifies services."""

    def __init__(self, name: str = "authority", *, expires_in: timedelta = HOUR) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self.certificate = self._certify(self._key, self._name, (), expires_in=expires_in, is_authority=True)

    def issue(self, *names: str, expires_in: timedelta = HOUR) -> tuple[bytes, bytes]:
        """A new certificate of these names (localhost and its addresses where there are none), and its key, in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = names or ("localhost", "127.0.0.1")
        certificate = self._certify(key, _named(names[0]), names, expires_in=expires_in)
        return certificate, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def put(self, folder: Path, *names: str, expires_in: timedelta = HOUR) -> TlsFiles:
        """A new certificate, its key and this authority, as files in a folder, in the place of those that are there."""
        folder.mkdir(parents=True, exist_ok=True)
        certificate, key = self.issue(*names, expires_in=expires_in)
        files = TlsFiles(folder / "tls.crt", folder / "tls.key", folder / "ca.crt")
        contents = zip(
            (files.certificate, files.key, files.authority), (certificate, key, self.certificate), strict=True
        )
        for path, content in contents:
            # Renamed into place, so that nobody reads half a file.
            fresh = path.with_suffix(".new")
            fresh.write_bytes(content)
            fresh.replace(path)
        return files

    def _certify(
        self,
        key: ec.EllipticCurvePrivateKey,
        subject: x509.Name,
        names: tuple[str, ...],
        *,
        expires_in: timedelta,
        is_authority: bool = False,
    ) -> bytes:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * HOUR)
            .not_valid_after(now + expires_in)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([*map(_general_name, names)]), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
