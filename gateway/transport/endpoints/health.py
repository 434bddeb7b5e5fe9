"""Health checks of the process for clients and load balancers: liveness, readiness and status."""

from collections.abc import Sequence

from chassis.probes.dependency import Dependency
from chassis.probes.process_status import Phase, ProcessStatus
from gateway.transcoding.json_codec.encoder import to_json
from gateway.transport.asgi import Send
from gateway.transport.errors import http_errors
from gateway.transport.request.http_request import HttpRequest
from gateway.transport.responses.send import send_response


class Liveness:
    """GET /healthz: 200 while the event loop runs."""

    async def __call__(self, http_request: HttpRequest, send: Send) -> None:  # noqa: ARG002 - an endpoint's signature
        await send_response(send, 200, to_json({"status": "ok"}))


class Readiness:
    """GET /readyz: 200 from the first contact with every service until this process is told to stop.

    An outage of a service does not change it: it would take all gateways out at once, and clients would get errors of
    a load balancer instead of ours.
    """

    def __init__(self, *, status: ProcessStatus, services: Sequence[Dependency]) -> None:
        self._status = status
        self._services = services

    async def __call__(self, http_request: HttpRequest, send: Send) -> None:  # noqa: ARG002 - an endpoint's signature
        if self._status.phase is Phase.DRAINING:
            raise http_errors.stopping()
        if not self._status.is_ready:
            raise http_errors.not_ready([each.name for each in self._services if not each.reached.is_set()])
        await send_response(send, 200, to_json({"status": "ready"}))


class Status:
    """GET /statusz: the phase of this process, its dependencies and its background loops."""

    def __init__(self, status: ProcessStatus) -> None:
        self._status = status

    async def __call__(self, http_request: HttpRequest, send: Send) -> None:  # noqa: ARG002 - an endpoint's signature
        await send_response(send, 200, to_json(self._status.to_json()))
