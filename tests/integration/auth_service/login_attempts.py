"""Login attempts: their outcomes, and the number of password checks."""

import asyncio

import grpc
from prometheus_client import REGISTRY

from chassis.rpc.errors import read_status

THROTTLED = (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS")


async def outcomes(*calls):
    responses = await asyncio.gather(*calls, return_exceptions=True)
    return [
        (read_status(response).code, read_status(response).reason)
        if isinstance(response, grpc.aio.AioRpcError)
        else response
        for response in responses
    ]


def hash_count() -> float:
    return REGISTRY.get_sample_value("auth_password_hashes_total") or 0
