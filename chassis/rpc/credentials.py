"""Mutual TLS as gRPC takes it: what a server shows and asks for, and what a client does."""

import grpc

from chassis.tls.reloader import CertificateReloader
from chassis.tls.files import CertificateBundle


def client_credentials(identity: CertificateBundle) -> grpc.ChannelCredentials:
    """What a client shows, and whose servers it believes. A channel keeps them for good."""
    return grpc.ssl_channel_credentials(identity.authority, identity.key, identity.certificate)


def server_credentials(certificates: CertificateReloader) -> grpc.ServerCredentials:
    """What a server shows to each new connection, refusing those whose client shows no certificate of the authority."""
    shown = certificates.current()

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        """What to show from now on; None for what was shown before. gRPC asks in a thread of its own."""
        nonlocal shown
        newest = certificates.current()
        if newest is shown:
            return None
        shown = newest
        return _configuration(newest)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(shown),
        renewed,  # type: ignore[arg-type] # None is allowed, which the stubs do not say
        require_client_authentication=True,
    )


def _configuration(identity: CertificateBundle) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(identity.key, identity.certificate)], root_certificates=identity.authority
    )
