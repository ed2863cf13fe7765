"""Timers: what will be sent, and the word that lets one be due now."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from wherry.codec import codec_of
from wherry.gateway.views import MOST
from wherry.http.bodies import Json, read_json
from wherry.http.entities import PAGE
from wherry.http.queries import Query
from wherry.http.service import Service


@dataclass(frozen=True, slots=True)
class Fire:
    """The body of the word."""

    id: str


class TimerRoutes:
    """The routes of timers."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def listed(self, request: Request) -> Response:
        """What will be sent, the earliest first."""
        limit = Query(request, {"limit"}).number("limit", 1, MOST) or PAGE
        return Json(await self._service.read(self._service.timers.listed, limit))

    async def fire(self, request: Request) -> Response:
        """Let one be due now."""
        Query(request)
        said: Fire = codec_of(Fire).convert(await read_json(request), "fire")
        return Json(await self._service.read(self._service.timers.fire, said.id))
