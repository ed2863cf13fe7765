"""A client that costs little: it only writes requests to open connections and cuts out answers.

Any HTTP library would be slower than the server that it is to measure.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import uvloop

#: Takes the status and the body of an answer; raises if it is not what it must be.
Check = Callable[[int, bytes], None]


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of a burst: seconds from the first request to the last answer."""

    count: int
    seconds: float


def request(path: str, body: bytes, **headers: str) -> bytes:
    """The bytes of a POST; `_` in the name of a header stands for `-`."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{more}\r\n"
    )
    return head.encode() + body


def burst(port: int, requests: Sequence[bytes], connections: int, check: Check) -> Measured:
    """Send all requests, each connection one after the other; check every answer."""
    return uvloop.run(_burst(port, requests, connections, check))


async def _burst(port: int, requests: Sequence[bytes], connections: int, check: Check) -> Measured:
    loop = asyncio.get_running_loop()
    left = iter(requests)
    made = [_Connection(left, check) for _ in range(connections)]
    for each in made:
        await loop.create_connection(lambda each=each: each, "127.0.0.1", port)  # type: ignore[misc]
    began = time.perf_counter()
    for each in made:
        each.begin()
    try:
        await asyncio.gather(*(each.ended for each in made))
        return Measured(len(requests), time.perf_counter() - began)
    finally:
        for each in made:
            each.transport.close()


class _Connection(asyncio.Protocol):
    """One keep-alive connection, with one request on its way at a time."""

    transport: asyncio.Transport

    def __init__(self, left: Iterator[bytes], check: Check) -> None:
        self._left = left
        self._check = check
        self._got = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to answer."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass

    def begin(self) -> None:
        """Send the next request, if there is one."""
        request = next(self._left, None)
        if request is not None:
            self.transport.write(request)
        elif not self.ended.done():
            self.ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer; when it is whole, go on."""
        self._got += data
        head, found, rest = self._got.partition(b"\r\n\r\n")
        if not found or len(rest) < _length(head):
            return
        self._got = b""
        try:
            self._check(int(head[9:12]), rest)
        except Exception as error:  # noqa: BLE001 - it is handed to whoever waits for the burst
            self._fail(error)
        else:
            self.begin()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever waits, unless all was said."""
        self._fail(error or ConnectionError("the server closed a connection"))

    def _fail(self, error: Exception) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    if not found:
        raise ValueError(f"an answer without a length: {head!r}")
    return int(rest.partition(b"\r\n")[0])
