"""Live: what happens, as it happens; a stream that goes on where it was cut."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from wherry.errors import Unreachable
from wherry.gateway.feed import Feed, Interest, News
from wherry.gateway.shapes import Json
from wherry.http.console.pages import Pages, query
from wherry.http.problems import refused
from wherry.http.queries import Query
from wherry.http.service import Service
from wherry.http.streams import EVENT_STREAM, FOLLOWERS

#: Events that the page begins with.
_SHOWN = 50
#: How often the feeds are looked at for each reader.
LOOK_S = 0.5
_FILTERS = ("kind", "entity", "type", "correlation")


class LivePages:
    """The page, and its stream."""

    def __init__(self, service: Service, pages: Pages) -> None:
        self._service = service
        self._pages = pages
        self._feed = Feed(service.runtime)
        self._readers = 0

    async def show(self, request: Request) -> Response:
        """The last events; or with `after` those behind a position."""
        asked = query(request, *_FILTERS, "after")
        interest = _interest(asked)
        read = self._service.read
        if asked.text("after"):
            news = await read(self._feed.since, asked.text("after"), interest)
        else:
            news = await read(self._feed.latest, interest, _SHOWN)
        kinds = sorted(self._service.runtime.registry.kinds)
        shown = {"filter": {name: asked.text(name) for name in _FILTERS}, "kinds": kinds}
        return self._pages.show(request, "live.html", shown | _shape(news))

    async def stream(self, request: Request) -> Response:
        """Rows of the table, as server-sent events; the id of each is a position."""
        asked = query(request, *_FILTERS, "after")
        position = request.headers.get("last-event-id") or asked.text("after")
        if self._readers >= FOLLOWERS:
            raise refused(503, "too-many-streams", f"{FOLLOWERS} streams are open here", 5)
        interest = _interest(asked)
        news = await self._service.read(self._feed.since, position, interest)
        return StreamingResponse(
            self._follow(news, interest),
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
            media_type=EVENT_STREAM,
        )

    async def _follow(self, news: News, interest: Interest) -> AsyncIterator[bytes]:
        self._readers += 1
        silent_s, told = 0.0, ""
        try:
            while not self._service.draining:
                if news.position != told:
                    yield self._message(news)
                    silent_s, told = 0.0, news.position
                elif silent_s >= self._service.heartbeat:
                    yield b": still here\n\n"
                    silent_s = 0.0
                if not news.more:
                    await asyncio.sleep(LOOK_S)
                    silent_s += LOOK_S
                news = await self._service.read(self._feed.since, news.position, interest)
        except Unreachable:
            return  # the browser comes back, with the position that it has seen
        finally:
            self._readers -= 1

    def _message(self, news: News) -> bytes:
        """Rows, newest first; without any only the position moves on."""
        data = ""
        if news.items or news.lost:
            rows = self._pages.part("live_rows.html", _shape(news))
            data = "".join(f"data: {line}\n" for line in rows.splitlines() if line.strip())
        return f"id: {news.position}\n{data}\n".encode()


def _interest(asked: Query) -> Interest:
    return Interest(**{name: asked.text(name).strip() for name in _FILTERS})


def _shape(news: News) -> Json:
    return {"items": news.items[::-1], "position": news.position, "lost": news.lost}
