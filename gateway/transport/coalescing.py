"""Responses that are ready at the same time are sent together."""

from chassis.kernel.coalescing import CoalescingPoint
from chassis.probes.process_status import Phase, ProcessStatus
from gateway.transport.asgi import AsgiApp, Message, Receive, Scope, Send


class CoalesceResponses:
    """Middleware that lets responses wait shortly for each other before they begin. A response alone does not wait.

    Clients then send their next requests together, and the services get the calls together. In the drain no response
    waits: at its end the process has no turn left in which to send one.
    """

    def __init__(self, app: AsgiApp, status: ProcessStatus) -> None:
        self._app = app
        self._status = status
        self._point = CoalescingPoint()
        self._pending = 0
        """Number of requests whose response has not begun. A stream counts no longer than that."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_pending = True

        async def send_together(message: Message) -> None:
            nonlocal is_pending
            if is_pending:
                if self._pending > 1 and self._status.phase is not Phase.DRAINING:
                    await self._point.wait()
                is_pending = False
                self._pending -= 1
            await send(message)

        self._pending += 1
        try:
            await self._app(scope, receive, send_together)
        finally:
            if is_pending:
                self._pending -= 1
