"""Processes that run a Python module of this repository."""

import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TypedDict, Unpack

from deploy.local.host.repository import REPOSITORY_ROOT
from deploy.local.supervision.process import ProcessSpec

GRPC_ENVIRONMENT = {
    "GRPC_VERBOSITY": "NONE",  # the C core logs lines that are not JSON
    # Its older transport: a call costs the gateway 11 % less CPU (docs/adr/0015-cpu-of-a-call.md).
    "GRPC_EXPERIMENTS": "-event_engine_client,-event_engine_listener",
}
"""Environment of gRPC, which reads it when it is imported. The images have it too (deploy/docker/Dockerfile)."""


class _SpecOptions(TypedDict, total=False):
    readiness_probe: Callable[[], Awaitable[bool]]
    port: int
    grace_period_seconds: float
    inherited_fds: tuple[int, ...]


def python_process(
    name: str,
    module: str,
    environment: Mapping[str, str],
    *,
    arguments: tuple[str, ...] = (),
    **spec_options: Unpack[_SpecOptions],
) -> ProcessSpec:
    """Return a process that runs `python -m module arguments...`.

    It inherits the caller's environment, so that an operator can try a setting of a service in the shell.
    """
    path = (str(REPOSITORY_ROOT), str(REPOSITORY_ROOT / "protos" / "gen"), os.environ.get("PYTHONPATH"))
    return ProcessSpec(
        name=name,
        argv=(sys.executable, "-m", module, *arguments),
        env={
            **GRPC_ENVIRONMENT,
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "PYTHONUNBUFFERED": "1",
            **environment,
        },
        **spec_options,
    )
