"""Attention: the entities that an error has stopped, and the word that lets one go on."""

from starlette.requests import Request
from starlette.responses import Response

from wherry.gateway import requests, shapes
from wherry.gateway.views import MOST
from wherry.http.bodies import Json, require_no_fields
from wherry.http.entities import PAGE
from wherry.http.queries import Query
from wherry.http.sending import deliver, manner, outcome
from wherry.http.service import Service


class Attention:
    """The routes of the attention list."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def listed(self, request: Request) -> Response:
        """The stopped entities, newest first."""
        query = Query(request, {"all", "limit"})
        limit = query.number("limit", 1, MOST) or PAGE
        entries = self._service.attention.entries
        return Json(await self._service.read(entries, limit, every=query.flag("all")))

    async def restart(self, request: Request) -> Response:
        """Let a stopped entity go on; it is told as by a command."""
        Query(request)
        service = self._service
        address = f"{request.path_params['kind']}/{request.path_params['key']}"
        how = manner(service, request, 0)
        await require_no_fields(request)
        now_ms = await service.courier.clock.now_ms()
        command = requests.restart(service.runtime.registry, address, now_ms, how.options)
        await service.read(service.attention.require_stopped, command)
        delivered = await deliver(service, command, how)
        done = shapes.reply(delivered.result) if delivered.result else None
        location = f"/v1/{address}/commands/{delivered.command_id}"
        return outcome(delivered, command, how, done, location)
