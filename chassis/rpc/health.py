"""Asks a server whether it is ready: python -m chassis.rpc.health HOST:PORT [PREFIX]. For container health checks.

With the prefix of the server's settings (AUTH, TASKS) it speaks mutual TLS where they do.
"""

import os
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.secret_files import secrets_folder

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
    folder = secrets_folder()
    return folder is not None and any((folder / one).exists() for one in (name, name.lower()))


def _channel(target: str, prefix: str) -> grpc.Channel:
    name = f"{prefix}_TLS_CERTIFICATE_FILE"
    if not (os.environ.get(name) or _is_a_secret(name)):
        return grpc.insecure_channel(target)
    from chassis.rpc.itself import tls_of, to_itself  # a third of a second, which a check every few seconds may save

    tls = tls_of(prefix)
    return grpc.secure_channel(target, *to_itself(tls)) if tls else grpc.insecure_channel(target)


if __name__ == "__main__":
    sys.exit(0 if is_serving(*sys.argv[1:]) else 1)
