"""Health check of a server, for containers: python -m chassis.rpc.health HOST:PORT [PREFIX].

PREFIX is the prefix of the server's settings (AUTH, TASKS). With it, the check uses mutual TLS if the server does.
"""

import argparse
import os
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.secrets_dir import secrets_dir

TIMEOUT_SECONDS = 3.0


def is_serving(target: str, prefix: str = "") -> bool:
    """Return True if the server reports SERVING within three seconds."""
    with _channel(target, prefix) as channel:
        try:
            response = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS, wait_for_ready=True
            )
        except grpc.RpcError:
            return False
    return bool(response.status == health_pb2.HealthCheckResponse.SERVING)


def _is_secret_file(name: str) -> bool:
    folder = secrets_dir()
    return folder is not None and any((folder / file_name).exists() for file_name in (name, name.lower()))


def _channel(target: str, prefix: str) -> grpc.Channel:
    name = f"{prefix}_TLS_CERTIFICATE_FILE"
    if not (os.environ.get(name) or _is_secret_file(name)):
        return grpc.insecure_channel(target)
    from chassis.tls.loopback import load_tls_files, loopback_credentials

    tls = load_tls_files(prefix)
    return grpc.secure_channel(target, *loopback_credentials(tls)) if tls else grpc.insecure_channel(target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m chassis.rpc.health", description=__doc__)
    parser.add_argument("target", metavar="HOST:PORT", help="address of the server")
    parser.add_argument("prefix", metavar="PREFIX", nargs="?", default="", help="prefix of the server's settings")
    arguments = parser.parse_args()
    try:
        sys.exit(0 if is_serving(arguments.target, arguments.prefix) else 1)
    except ValueError as problem:  # unusable TLS files, or a target that is no text
        sys.exit(f"The health check can't be made: {problem}")
