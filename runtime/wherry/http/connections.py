"""Connections: how long and how much a client may talk before it has said what it wants.

uvicorn's fast protocol waits for ever for the end of a head, and keeps whatever comes of it. Here
a head has a size and a time; a connection that exceeds them is closed, and costs nothing more.
"""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from wherry.codec import to_json
from wherry.gateway.problems import Shown
from wherry.http.joining import Joining

#: Request line and headers together; a little more may come with the last packet.
LARGEST_HEAD = 65_536
#: From the connection, or from the first byte of a later request, to the end of the head.
PATIENCE_S = 10.0


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    _head_since = 0.0
    _head_bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        super().connection_made(transport)
        self.transport = Joining(transport, self.loop)  # type: ignore[assignment]
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """It talks."""
        was_in_head = self._head_since
        super().data_received(data)
        if was_in_head and self._head_since:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD and not self.transport.is_closing():
                self._refuse(431, "head-too-large", f"a head may have up to {LARGEST_HEAD} bytes")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        if not self._head_since:
            self._watch()
            self._head_bytes = 1  # the rest of this packet is not counted: it may be a body before

    def on_headers_complete(self) -> None:
        """Its head has ended."""
        self._head_since = 0.0
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(400, "malformed-request", msg.rstrip("."))

    def _watch(self) -> None:
        self._head_since, self._head_bytes = self.loop.time(), 0
        # One timer lives for many requests: it looks again when it was set for an earlier one.
        if self._timer is None:
            self._timer = self.loop.call_later(PATIENCE_S, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._head_since or self.transport.is_closing():
            return
        left = self._head_since + PATIENCE_S - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(left, self._look)
        elif self._head_bytes:
            self._refuse(408, "request-timeout", f"the head took more than {PATIENCE_S:.0f} s")
        else:  # it has said nothing at all: there is nothing to answer
            self.transport.close()

    def _refuse(self, status: int, code: str, detail: str) -> None:
        phrase = HTTPStatus(status).phrase
        body = to_json(Shown(code, phrase, status, 1, detail).body())
        head = (
            f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
