"""Calls to the outside world, and the breakers before it."""

from starlette.requests import Request
from starlette.responses import Response

from wherry.gateway.views import MOST
from wherry.http.bodies import Json, read_json, require_no_fields
from wherry.http.entities import PAGE
from wherry.http.queries import Query
from wherry.http.service import Service


class Effects:
    """The routes of effects and breakers."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def listed(self, request: Request) -> Response:
        """The calls that are not settled; those that wait for a person first."""
        query = Query(request, {"state", "target", "limit"})
        limit = query.number("limit", 1, MOST) or PAGE
        calls = self._service.effects.calls
        return Json(
            await self._service.read(calls, query.text("state"), query.text("target"), limit)
        )

    async def show(self, request: Request) -> Response:
        """One call, with what it says."""
        Query(request)
        return Json(await self._service.read(self._service.effects.show, _id(request)))

    async def retry(self, request: Request) -> Response:
        """Let a call be tried at once."""
        Query(request)
        await require_no_fields(request)
        return Json(await self._service.read(self._service.effects.retry, _id(request)))

    async def resolve(self, request: Request) -> Response:
        """Say what became of a call."""
        Query(request)
        body = await read_json(request)
        return Json(await self._service.read(self._service.effects.resolve, _id(request), body))

    async def breakers(self, request: Request) -> Response:
        """The breaker of each target."""
        Query(request)
        return Json(await self._service.read(self._service.breakers.listed))


def _id(request: Request) -> str:
    return str(request.path_params["id"])
