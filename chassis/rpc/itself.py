"""How whoever looks after a server reaches it from its own machine, under mutual TLS too: as the server itself.

It shows the server's own certificate, and expects to be shown the same name, whatever the address is.
"""

import grpc

from chassis.tls.credentials import client_credentials
from chassis.secrets_dir import secrets_dir
from chassis.tls.files import CertificateBundle
from chassis.tls.files import TlsFiles
from chassis.tls.settings import TlsSettings

Options = list[tuple[str, str]]


def tls_of(prefix: str) -> TlsFiles | None:
    """What the settings of this prefix say about TLS, wherever the server itself reads them."""
    return TlsSettings(_env_prefix=f"{prefix}_", _secrets_dir=secrets_dir()).tls  # type: ignore[call-arg] # pydantic's own


def to_itself(tls: TlsFiles) -> tuple[grpc.ChannelCredentials, Options]:
    """Credentials and options for a channel to the server whose files these are."""
    identity = CertificateBundle.read(tls)
    return client_credentials(identity), [("grpc.ssl_target_name_override", name) for name in identity.names[:1]]
