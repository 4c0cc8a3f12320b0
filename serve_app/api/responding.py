"""What has left so far as the answer of one request."""

from starlette.types import Message, Send


class Responding:
    """A `send` that remembers the status; `status` is None until the answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        """Pass the message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)
