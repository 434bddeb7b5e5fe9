"""Mutual TLS between services: the certificate that this process shows, and the authority whose certificates it takes.

Optional, by settings (chassis.tls.settings). The files are looked at again while the process runs, so that certificates
can be short-lived: whoever renews them replaces the files, in place, by renaming, or by swapping the folder that they
are in (as Kubernetes does with its symbolic links), and restarts nothing.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from chassis.metrics import TLS_EXPIRES, TLS_FAILURES

LOOK_EVERY = 1.0
"""Seconds between two looks at the files, which cost three system calls."""

_BROKEN = (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
_CURVES = {"secp256r1", "secp384r1"}

Version = tuple[tuple[int, ...], ...]
"""What tells one state of the files from another, without reading them."""

log = structlog.get_logger("tls")


class Unusable(ValueError):
    """A file, or two together, that TLS can't be spoken with. Says nothing of what is in it."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Three files in PEM: a certificate (with those between it and the authority), its key, and the authorities."""

    certificate: Path
    key: Path
    authority: Path

    def version(self) -> Version:
        """The state that the files are in. OSError when one is not there."""
        found = [path.stat() for path in (self.certificate, self.key, self.authority)]
        return tuple((one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for one in found)


@dataclass(frozen=True, slots=True)
class Identity:
    """What was in the files at one time."""

    certificate: bytes
    key: bytes = field(repr=False)
    authority: bytes
    names: tuple[str, ...]
    expires_at: float

    @classmethod
    def read(cls, files: TlsFiles) -> Self:
        """Reads and checks the files. Unusable says what is wrong with the first that is."""
        # Each is read once: what is checked is what is used, whatever happens to the files meanwhile.
        certificate, key, authority = content_of(files.certificate), content_of(files.key), content_of(files.authority)
        leaf = check_certificate(files.certificate, certificate)
        check_key(files.key, key, leaf)
        check_authority(files.authority, authority)
        return cls(certificate, key, authority, _names(leaf), leaf.not_valid_after_utc.timestamp())


class Certificates:
    """The newest identity that could be read, asked for as often as one likes, from any thread.

    Files that can't be used, half written or not belonging together, change nothing: what was read before stays in use,
    and the log says so once for each state of the files.
    """

    def __init__(
        self, files: TlsFiles, *, look_every: float = LOOK_EVERY, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Reads the files; Unusable when there is nothing to begin with."""
        self._files = files
        self._look_every = look_every
        self._now = now
        self._lock = threading.Lock()
        self._seen = self._version()
        self._refused = False
        self._identity = Identity.read(files)
        self._look_at = now() + look_every
        TLS_EXPIRES.set(self._identity.expires_at)

    @classmethod
    def of(cls, files: TlsFiles | None) -> Self | None:
        """Of these files; None where TLS is off."""
        return cls(files) if files else None

    def current(self) -> Identity:
        """The identity to show from now on: the same object as long as nothing new could be read."""
        with self._lock:
            if self._now() >= self._look_at:
                self._look_at = self._now() + self._look_every
                # Taken before reading: whatever changes meanwhile is another version at the next look.
                version = self._version()
                if version != self._seen or self._refused:
                    self._take(is_news=version != self._seen)
                    self._seen = version
            return self._identity

    def _version(self) -> Version | None:
        try:
            return self._files.version()
        except OSError:
            return None

    def _take(self, *, is_news: bool) -> None:
        try:
            self._identity = Identity.read(self._files)
        except Unusable as problem:
            # Read again at the next look: a certificate may only become valid in a moment.
            self._refused = True
            if is_news:
                TLS_FAILURES.inc()
                log.warning("new certificate files can't be used, the old ones stay in use", problem=str(problem))
        else:
            self._refused = False
            TLS_EXPIRES.set(self._identity.expires_at)
            log.info("new certificate files are in use", names=self._identity.names)


def content_of(path: Path) -> bytes:
    """The file's bytes; Unusable."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unusable(f"{path} can't be read: {os.strerror(error.errno or 0)}") from None


def check_certificate(path: Path, content: bytes) -> x509.Certificate:
    """The service's own certificate, the first in the file, valid today; Unusable."""
    leaf = _certificates(path, content)[0]
    if not _is_valid(leaf):
        raise Unusable(f"{path} holds a certificate that is not valid today")
    return leaf


def check_authority(path: Path, content: bytes) -> None:
    """Returns for authorities of which one at least is valid today; Unusable."""
    if not any(map(_is_valid, _certificates(path, content))):
        raise Unusable(f"{path} holds no authority that is valid today")


def check_key(path: Path, content: bytes, certificate: x509.Certificate | None) -> None:
    """Returns for a private key, the certificate's own where one is given; Unusable."""
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # in turn: broken, encrypted, unknown
        raise Unusable(f"{path} holds no private key in PEM without a passphrase") from None
    # Others load well and then fail every handshake.
    if not (isinstance(key, RSAPrivateKey) or (isinstance(key, EllipticCurvePrivateKey) and key.curve.name in _CURVES)):
        raise Unusable(f"{path} holds a key that gRPC can't use: it takes RSA, and ECDSA on P-256 or P-384")
    kind = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if certificate and key.public_key().public_bytes(*kind) != certificate.public_key().public_bytes(*kind):
        raise Unusable(f"{path} is not the key of the certificate")


def _certificates(path: Path, content: bytes) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(content)
        for one in found:
            one.public_key()
            one.extensions  # noqa: B018 - parsed when it is asked for
    except _BROKEN:
        raise Unusable(f"{path} holds no certificates in PEM, or broken ones") from None
    return found


def _is_valid(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_before_utc.timestamp() <= time.time() < certificate.not_valid_after_utc.timestamp()


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = names.get_values_for_type(x509.IPAddress)
    return (*names.get_values_for_type(x509.DNSName), *map(str, addresses))
