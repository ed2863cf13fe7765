"""Live: what happens, as it happens; a stream that goes on where it was cut."""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from wherry.codec import to_json
from wherry.errors import Unreachable
from wherry.gateway.feed import Feed, Interest, News
from wherry.gateway.shapes import Json
from wherry.http.console.pages import HTML, JSON, Pages, query
from wherry.http.headers import accepted
from wherry.http.problems import refused
from wherry.http.queries import Query
from wherry.http.service import Service
from wherry.http.streams import EVENT_STREAM

#: Events that the page begins with.
_SHOWN = 50
#: Readers of one process; each costs two looks at all feeds a second.
_MOST_READERS = 100
#: How often the feeds are looked at for each reader.
LOOK_S = 0.5
#: How news are written as server-sent events.
Write = Callable[[Pages, News], bytes]
_FILTERS = ("kind", "entity", "type", "correlation")


class LivePages:
    """The page, and its stream."""

    def __init__(self, service: Service, pages: Pages) -> None:
        self._service = service
        self._pages = pages
        self._feed = Feed(service.runtime)
        self._readers = 0

    async def show(self, request: Request) -> Response:
        """The last events; or with `after` those behind a position; or as they happen."""
        asked = query(request, *_FILTERS, "after")
        if accepted(request, (HTML, JSON, EVENT_STREAM)) == EVENT_STREAM:
            return await self._streamed(request, asked, _data)
        interest = _interest(asked)
        if asked.text("after"):
            news = await self._service.read(self._feed.since, asked.text("after"), interest)
        else:
            news = await self._service.read(self._feed.latest, interest, _SHOWN)
        kinds = sorted(self._service.runtime.registry.kinds)
        shown = {"filter": {name: asked.text(name) for name in _FILTERS}, "kinds": kinds}
        return self._pages.show(request, "live.html", shown | _shape(news))

    async def stream(self, request: Request) -> Response:
        """Rows of the table as they happen."""
        return await self._streamed(request, query(request, *_FILTERS, "after"), _rows)

    async def _streamed(self, request: Request, asked: Query, write: Write) -> Response:
        """Server-sent events; the id of the last of several is the position behind them."""
        if self._readers >= _MOST_READERS:
            raise refused(503, "too-many-streams", f"{_MOST_READERS} streams are open here", 5)
        interest = _interest(asked)
        position = request.headers.get("last-event-id") or asked.text("after")
        if not position:
            position = (await self._service.read(self._feed.latest, interest, 0)).position
        news = await self._service.read(self._feed.since, position, interest)
        about = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        if request.method == "HEAD":
            return Response(headers=about, media_type=EVENT_STREAM)
        follow = self._follow(news, interest, write)
        return StreamingResponse(follow, headers=about, media_type=EVENT_STREAM)

    async def _follow(self, news: News, interest: Interest, write: Write) -> AsyncIterator[bytes]:
        self._readers += 1
        silent_s, told = 0.0, ""
        try:
            while not self._service.draining:
                if news.position != told:
                    yield write(self._pages, news)
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


def _rows(pages: Pages, news: News) -> bytes:
    """Rows, newest first, in one message; without any only the position moves on."""
    data = ""
    if news.items or news.lost:
        rows = pages.part("live_rows.html", _shape(news))
        data = "".join(f"data: {line}\n" for line in rows.splitlines() if line.strip())
    return f"id: {news.position}\n{data}\n".encode()


def _data(pages: Pages, news: News) -> bytes:
    """A message for each event, oldest first; who is cut off between them gets them all again."""
    shown = pages.fit_to_show({"items": news.items})["items"]
    messages = [b"data: " + to_json(event) for event in shown]
    lost = [b"event: lost\ndata: {}"] if news.lost else []
    position = b"id: " + news.position.encode()
    if messages:
        messages[-1] = position + b"\n" + messages[-1]
    else:
        messages = [position]
    return b"\n\n".join([*lost, *messages]) + b"\n\n"


def _interest(asked: Query) -> Interest:
    return Interest(**{name: asked.text(name).strip() for name in _FILTERS})


def _shape(news: News) -> Json:
    return {"items": news.items[::-1], "position": news.position, "lost": news.lost}
