"""Queues: what waits, and for whom."""

from starlette.requests import Request
from starlette.responses import Response

from wherry.gateway.unanswered import Unanswered
from wherry.gateway.views import MOST
from wherry.http.bodies import Json
from wherry.http.entities import PAGE
from wherry.http.queries import Query
from wherry.http.service import Service


class Queues:
    """The routes of the queues."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def listed(self, request: Request) -> Response:
        """What waits in each partition."""
        limit = Query(request, {"limit"}).number("limit", 1, MOST) or PAGE
        return Json(await self._service.read(self._service.queues.depths, limit))

    async def unanswered(self, request: Request) -> Response:
        """The commands that were taken, and that nobody has answered."""
        limit = Query(request, {"limit"}).number("limit", 1, MOST) or PAGE
        listed = Unanswered(self._service.runtime).listed
        return Json(await self._service.read(listed, limit))
