"""Reloading of certificates while the process runs, so that certificates can be short-lived.

Replace the files in place, by renaming, or by swapping their folder (as Kubernetes does with symbolic links). No
restart is needed.
"""

import threading
import time
from collections.abc import Callable
from typing import Self

import structlog

from chassis.metrics import TLS_EXPIRES, TLS_FAILURES
from chassis.tls.files import CertificateBundle, InvalidTlsFiles, TlsFiles, Version

CHECK_INTERVAL_SECONDS = 1.0
"""Minimum time between two checks of the files. A check costs three system calls."""

log = structlog.get_logger("tls")


class CertificateReloader:
    """The newest usable certificates. Thread-safe, and cheap to ask for every call.

    Unusable files (half written, or a key of another certificate) change nothing: the previous certificates stay in
    use, and a warning is logged once for each state of the files.
    """

    def __init__(
        self,
        files: TlsFiles,
        *,
        check_interval_seconds: float = CHECK_INTERVAL_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the files. Raises InvalidTlsFiles if they are unusable."""
        self._files = files
        self._check_interval_seconds = check_interval_seconds
        self._now = now
        self._lock = threading.Lock()
        self._loaded_version = self._version()
        self._retry = False
        self._bundle = CertificateBundle.read(files)
        self._check_at = now() + check_interval_seconds
        TLS_EXPIRES.set(self._bundle.expires_at)

    @classmethod
    def from_files(cls, files: TlsFiles | None) -> Self | None:
        """Create a reloader; None if TLS is off."""
        return cls(files) if files else None

    def current(self) -> CertificateBundle:
        """Return the certificates to use: the same object until new files were loaded."""
        with self._lock:
            if self._now() >= self._check_at:
                self._check_at = self._now() + self._check_interval_seconds
                # Taken before the files are read: a change during the read is then another version at the next check.
                version = self._version()
                if version != self._loaded_version or self._retry:
                    self._reload(is_new=version != self._loaded_version)
                    self._loaded_version = version
            return self._bundle

    def _version(self) -> Version | None:
        try:
            return self._files.version()
        except OSError:
            return None

    def _reload(self, *, is_new: bool) -> None:
        try:
            self._bundle = CertificateBundle.read(self._files)
        except InvalidTlsFiles as problem:
            # Tried again at the next check: the certificate may become valid in a moment.
            self._retry = True
            if is_new:
                TLS_FAILURES.inc()
                log.warning("new certificate files are unusable, the previous ones stay in use", problem=str(problem))
        else:
            self._retry = False
            TLS_EXPIRES.set(self._bundle.expires_at)
            log.info("new certificate files are in use", names=self._bundle.names)
