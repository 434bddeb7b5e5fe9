"""Mutual TLS credentials for gRPC servers and channels."""

import grpc

from chassis.tls.files import CertificateBundle
from chassis.tls.reloader import CertificateReloader


def client_credentials(bundle: CertificateBundle) -> grpc.ChannelCredentials:
    """Return the credentials of a channel. A channel keeps them for its whole life."""
    return grpc.ssl_channel_credentials(bundle.authority, bundle.key, bundle.certificate)


def server_credentials(certificates: CertificateReloader) -> grpc.ServerCredentials:
    """Return the credentials of a server. It refuses clients without a certificate of the authority.

    Each new connection gets the newest certificate.
    """
    in_use = certificates.current()

    def fetch_configuration() -> grpc.ServerCertificateConfiguration | None:
        """Return a new configuration, or None to keep the current one. gRPC calls this from a thread of its own."""
        nonlocal in_use
        newest = certificates.current()
        if newest is in_use:
            return None
        in_use = newest
        return _configuration(newest)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(in_use),
        fetch_configuration,  # type: ignore[arg-type] # None is allowed, but the stubs don't say so
        require_client_authentication=True,
    )


def _configuration(bundle: CertificateBundle) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(bundle.key, bundle.certificate)], root_certificates=bundle.authority
    )
