"""Credentials for health checks on the same host: they present the server's own certificate.

They expect the name in that certificate, whatever the address of the server is.
"""

import grpc

from chassis.secrets_dir import secrets_dir
from chassis.tls.credentials import client_credentials
from chassis.tls.files import CertificateBundle, TlsFiles
from chassis.tls.settings import TlsSettings

Options = list[tuple[str, str]]


def load_tls_files(prefix: str) -> TlsFiles | None:
    """Return the TLS files in the settings with this prefix, from the same sources as the server's own settings."""
    return TlsSettings(_env_prefix=f"{prefix}_", _secrets_dir=secrets_dir()).tls  # type: ignore[call-arg] # pydantic's own


def loopback_credentials(files: TlsFiles) -> tuple[grpc.ChannelCredentials, Options]:
    """Return the credentials and options of a channel to the server that uses these files."""
    bundle = CertificateBundle.read(files)
    return client_credentials(bundle), [("grpc.ssl_target_name_override", name) for name in bundle.names[:1]]
