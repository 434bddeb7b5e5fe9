"""Responses that are ready at the same time are sent together."""

from chassis.kernel.gathering import Gathering
from gateway.transport.asgi import AsgiApp, Message, Receive, Scope, Send


class GatherResponses:
    """Middleware that lets responses wait shortly for each other before they begin. A response alone does not wait.

    Clients then send their next requests together, and the services get the calls together.
    """

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._gathering = Gathering()
        self._pending = 0
        """Number of requests whose response has not begun. A stream counts no longer than that."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_pending = True

        async def send_together(message: Message) -> None:
            nonlocal is_pending
            if is_pending:
                if self._pending > 1:
                    await self._gathering.wait()
                is_pending = False
                self._pending -= 1
            await send(message)

        self._pending += 1
        try:
            await self._app(scope, receive, send_together)
        finally:
            if is_pending:
                self._pending -= 1
