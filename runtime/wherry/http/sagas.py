"""Sagas: start, look, list, cancel, kill, retry."""

from starlette.requests import Request
from starlette.responses import Response

from wherry.errors import KeyReused, Rejected
from wherry.gateway import requests
from wherry.gateway.requests import Request as Command
from wherry.gateway.shapes import Json as Shape
from wherry.gateway.views import MOST
from wherry.http.bodies import Json, read_json
from wherry.http.courier import Delivered
from wherry.http.entities import PAGE
from wherry.http.queries import Query
from wherry.http.sending import Manner, deliver, manner, outcome, pending
from wherry.http.service import Service


class Sagas:
    """The routes of sagas."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def start(self, request: Request) -> Response:
        """Start a saga, and wait for its end."""
        query = Query(request, {"id", "delay"})
        how = manner(self._service, request, query.duration_ms("delay"))
        name, body = request.path_params["name"], await read_json(request)
        now_ms = await self._service.courier.clock.now_ms()
        registry, id_ = self._service.runtime.registry, query.chosen("id")
        command = requests.saga_start(registry, name, body, now_ms, how.options, id_)
        try:
            delivered = await deliver(self._service, command, how)
        except KeyReused:
            if how.has_key:
                raise
            raise Rejected("saga-exists", f"{id_} was started with another input") from None
        return await self._answer(name, command, delivered, how)

    async def show(self, request: Request) -> Response:
        """A saga with its steps."""
        Query(request)
        return Json(await self._view(request.path_params["name"], request.path_params["id"]))

    async def listed(self, request: Request) -> Response:
        """The sagas of a name, newest change first."""
        query = Query(request, {"status", "limit", "cursor"})
        limit = query.number("limit", 1, MOST) or PAGE
        views, name = self._service.views, request.path_params["name"]
        return Json(
            await self._service.read(
                views.sagas, name, query.text("status"), limit, query.text("cursor")
            )
        )

    async def cancel(self, request: Request) -> Response:
        """Let a saga turn back."""
        return await self._tell(request, "Cancel")

    async def kill(self, request: Request) -> Response:
        """End a saga at once."""
        return await self._tell(request, "Kill")

    async def retry(self, request: Request) -> Response:
        """Send the undos again that failed."""
        return await self._tell(request, "Retry")

    async def _tell(self, request: Request, what: str) -> Response:
        Query(request)
        name, id_ = request.path_params["name"], request.path_params["id"]
        kind = self._service.views.saga_kind(name)
        how = manner(self._service, request, 0)
        body = await read_json(request)
        now_ms = await self._service.courier.clock.now_ms()
        registry = self._service.runtime.registry
        command = requests.command(registry, f"{kind}/{id_}", what, body, now_ms, how.options)
        delivered = await deliver(self._service, command, how)
        if _was_never_started(delivered):
            await self._view(name, id_)  # not found, unless its start still waits for its time
        return await self._answer(name, command, delivered, how)

    async def _answer(
        self, name: str, command: Command, delivered: Delivered, how: Manner
    ) -> Response:
        id_ = command.entity.partition("/")[2]
        location = f"/v1/sagas/{name}/{id_}"
        if delivered.result is None:
            shown = await self._view(name, id_) if how.wait else {"id": id_, "saga": name}
            return pending(delivered, how, shown, location)
        done = await self._view(name, id_) if delivered.result.status == "done" else None
        return outcome(delivered, command, how, done, location)

    async def _view(self, name: str, id_: str) -> Shape:
        return await self._service.read(self._service.views.saga, name, id_)


def _was_never_started(delivered: Delivered) -> bool:
    problem = delivered.result.problem if delivered.result else None
    return problem is not None and problem.code == "saga-not-started"
