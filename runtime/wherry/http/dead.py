"""Dead letters: list, show, retry, drop."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from wherry.gateway.views import MOST
from wherry.http.bodies import Json
from wherry.http.entities import PAGE
from wherry.http.queries import Query
from wherry.http.service import Service


class Dead:
    """The routes of dead letters."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def listed(self, request: Request) -> Response:
        """The dead letters, newest first."""
        limit = Query(request, {"limit"}).number("limit", 1, MOST) or PAGE
        return Json(await self._service.read(self._service.dead.letters, limit))

    async def show(self, request: Request) -> Response:
        """One dead letter."""
        return await self._do(request, self._service.dead.show)

    async def retry(self, request: Request) -> Response:
        """Send the message again."""
        return await self._do(request, self._service.dead.retry)

    async def drop(self, request: Request) -> Response:
        """Forget the message."""
        return await self._do(request, self._service.dead.drop)

    async def _do(self, request: Request, action: Callable[[str], Any]) -> Response:
        Query(request)
        return Json(await self._service.read(action, request.path_params["id"]))
