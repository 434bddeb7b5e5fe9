"""Asks a server whether it is ready: python -m chassis.rpc.health HOST:PORT [PREFIX]. For container health checks.

With the prefix of the server's settings (AUTH, TASKS) it speaks mutual TLS where they do.
"""

import os
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.secrets_dir import secrets_dir

TIMEOUT_SECONDS = 3.0


def is_serving(target: str, prefix: str = "") -> bool:
    """Whether health says SERVING within three seconds."""
    with _channel(target, prefix) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS, wait_for_ready=True
            )
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _is_a_secret(name: str) -> bool:
    folder = secrets_dir()
    return folder is not None and any((folder / one).exists() for one in (name, name.lower()))


def _channel(target: str, prefix: str) -> grpc.Channel:
    name = f"{prefix}_TLS_CERTIFICATE_FILE"
    if not (os.environ.get(name) or _is_a_secret(name)):
        return grpc.insecure_channel(target)
    from chassis.tls.loopback import load_tls_files
    from chassis.tls.loopback import loopback_credentials

    tls = load_tls_files(prefix)
    return grpc.secure_channel(target, *loopback_credentials(tls)) if tls else grpc.insecure_channel(target)


if __name__ == "__main__":
    sys.exit(0 if is_serving(*sys.argv[1:]) else 1)
