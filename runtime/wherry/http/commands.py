"""Commands: `POST /v1/{kind}/{key}/{Command}`, and what became of one."""

from starlette.requests import Request
from starlette.responses import Response

from wherry.errors import NotFound
from wherry.gateway import requests, shapes
from wherry.http import headers
from wherry.http.bodies import Json, read_json
from wherry.http.problems import refused
from wherry.http.queries import Query
from wherry.http.sending import deliver, manner, outcome
from wherry.http.service import Service


class Commands:
    """The routes of commands."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def send(self, request: Request) -> Response:
        """Send a command, and wait for its reply."""
        params = request.path_params
        address, name = f"{params['kind']}/{params['key']}", params["command"]
        service = self._service
        how = manner(service, request, Query(request, {"delay"}).duration_ms("delay"))
        body = await read_json(request)
        now_ms = await service.courier.clock.now_ms()
        command = requests.command(
            service.runtime.registry, address, name, body, now_ms, how.options
        )
        if headers.expected_version(request) == headers.ANY:
            await self._require_any(address)
        delivered = await deliver(service, command, how)
        done = shapes.reply(delivered.result) if delivered.result else None
        location = f"/v1/{address}/commands/{delivered.command_id}"
        return outcome(delivered, command, how, done, location)

    async def status(self, request: Request) -> Response:
        """What became of a command."""
        Query(request)
        kind, key, id_ = (request.path_params[part] for part in ("kind", "key", "id"))
        views = self._service.views
        return Json(await self._service.read(views.command, f"{kind}/{key}", id_))

    async def _require_any(self, address: str) -> None:
        # An entity never ceases to exist, so that looking before sending is enough.
        try:
            await self._service.read(self._service.views.state, address)
        except NotFound as error:
            raise refused(412, "version-conflict", str(error)) from None
