"""Entities: their state, their events, and the list of a kind."""

from starlette.requests import Request
from starlette.responses import Response

from wherry.errors import Fault, Invalid
from wherry.gateway.travel import difference
from wherry.gateway.views import MOST
from wherry.http.bodies import Json
from wherry.http.headers import accepted, etag, is_current, last_seen
from wherry.http.queries import NEWEST, Query
from wherry.http.service import Service
from wherry.http.streams import EVENT_STREAM, NDJSON, Streams

PAGE = 100


class Entities:
    """The routes of entities."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._streams = Streams(service)

    async def state(self, request: Request) -> Response:
        """The state, now or at a version or an instant."""
        at = Query(request, {"at"}).moment("at", 1)
        shown = await self._service.read(self._service.views.state, _address(request), at)
        # That an entity is stopped is not in its version: nobody may keep that answer.
        stopped = "stopped" in shown
        kept = "no-store" if stopped else "no-cache"
        about = {"ETag": etag(shown["version"]), "Cache-Control": kept}
        if is_current(request, shown["version"]) and not stopped:
            return Response(status_code=304, headers=about)
        return Json(shown, headers=about)

    async def diff(self, request: Request) -> Response:
        """What changed between two versions or instants."""
        query = Query(request, {"from", "to"})
        since, until = query.moment("from", 0), query.moment("to", 0)
        if since is None:
            raise Invalid("query", [Fault("/from", "is needed: a version or an instant")])
        runtime, address = self._service.runtime, _address(request)
        return Json(await self._service.read(difference, runtime, address, since, until))

    async def events(self, request: Request) -> Response:
        """The events: a page, all of them, or as they happen."""
        query = Query(request, {"after", "limit"})
        after = query.number("after", 0, NEWEST) or 0
        form = accepted(request, ("application/json", NDJSON, EVENT_STREAM))
        address = _address(request)
        last_seen(request)  # refused also where it says nothing
        if form == EVENT_STREAM and request.method == "GET":
            return await self._streams.follow(request, address, after)
        if form == NDJSON and request.method == "GET":
            return await self._streams.lines(address, after, query.number("limit", 1, NEWEST))
        limit = query.number("limit", 1, MOST) or PAGE
        page = await self._service.read(self._service.views.events, address, after, limit)
        return Json(page, headers={"Vary": "Accept"})

    async def listed(self, request: Request) -> Response:
        """The entities of a kind, newest change first."""
        query = Query(request, {"status", "limit", "cursor"})
        limit = query.number("limit", 1, MOST) or PAGE
        views, kind = self._service.views, request.path_params["kind"]
        return Json(
            await self._service.read(
                views.entities, kind, query.text("status"), limit, query.text("cursor")
            )
        )


def _address(request: Request) -> str:
    return f"{request.path_params['kind']}/{request.path_params['key']}"
