"""Streams of events: all at once as NDJSON, or as they happen as server-sent events."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import anyio
from anyio.abc import ObjectSendStream
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from wherry.codec import to_json
from wherry.errors import Unreachable
from wherry.gateway import shapes
from wherry.gateway.shapes import Json
from wherry.gateway.views import MOST
from wherry.http.headers import last_seen
from wherry.http.problems import refused
from wherry.http.service import Service
from wherry.store.link import Entries

NDJSON = "application/x-ndjson"
EVENT_STREAM = "text/event-stream"

#: Each follower holds a connection to Redis; more than this in one process are turned away.
FOLLOWERS = 1_000
#: How soon a browser connects again, ms.
AGAIN_MS = 1_000


class Streams:
    """Streams of the events of one entity."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def lines(self, address: str, after: int, limit: int | None) -> Response:
        """All events after a version, a line each. Raises NotFound."""
        left = limit if limit is not None else 10**15
        first = await self._page(address, after, left)
        return StreamingResponse(self._lines(address, first, left), media_type=NDJSON)

    async def follow(self, request: Request, address: str, after: int) -> Response:
        """The events after a version, then those to come. Raises NotFound, Refused."""
        after = max(after, last_seen(request))
        if len(self._service.followers) >= FOLLOWERS:
            raise refused(503, "too-many-streams", f"{FOLLOWERS} streams are open here", 5)
        await self._page(address, after, 1)
        about = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            self._follow(address, after), headers=about, media_type=EVENT_STREAM
        )

    async def _page(self, address: str, after: int, most: int) -> Json:
        return await self._service.read(self._service.views.events, address, after, min(most, MOST))

    async def _lines(self, address: str, page: Json, left: int) -> AsyncIterator[bytes]:
        while True:
            yield b"".join(to_json(event) + b"\n" for event in page["events"])
            left -= len(page["events"])
            if page["next"] is None or left <= 0:
                return
            page = await self._page(address, page["next"], left)

    async def _follow(self, address: str, after: int) -> AsyncIterator[bytes]:
        log = self._service.views.log_key(address)
        into, grown = anyio.create_memory_object_stream[Entries](1)
        # A task of its own, so that its connection is closed in peace however we end.
        follower = asyncio.create_task(self._read(log, after, into))
        self._service.followers.add(follower)
        follower.add_done_callback(self._service.followers.discard)
        try:
            yield b"retry: %d\n\n" % AGAIN_MS
            with grown:
                async for entries in grown:
                    yield b"".join(itertools.starmap(_sent_event, entries)) or b": still here\n\n"
        finally:
            follower.cancel()

    async def _read(self, log: str, after: int, into: ObjectSendStream[Entries]) -> None:
        """Read the log as it grows. When Redis is lost, so is the stream: the client comes back."""
        wait_ms = round(self._service.heartbeat * 1000)
        try:
            async with self._service.courier.link.follow(log, after, wait_ms) as growth:
                async for entries in growth:
                    await into.send(entries)
        except (Unreachable, anyio.BrokenResourceError):
            return
        finally:
            await into.aclose()


def _sent_event(id_: bytes, fields: dict[bytes, bytes]) -> bytes:
    event = shapes.event(id_, fields)
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event["version"], fields[b"type"], to_json(event))
