"""Dead letters: list, show, retry, drop."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from wherry.errors import Fault, Invalid
from wherry.gateway.dead import EVERY, Wanted
from wherry.gateway.views import MOST
from wherry.http.bodies import Json, require_no_fields
from wherry.http.entities import PAGE
from wherry.http.queries import Query
from wherry.http.service import Service


class Dead:
    """The routes of dead letters."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def listed(self, request: Request) -> Response:
        """The dead letters, newest first."""
        query = Query(request, {"limit", "entity", "code"})
        limit = query.number("limit", 1, MOST) or PAGE
        return Json(await self._service.read(self._service.dead.letters, limit, _wanted(query)))

    async def retry_all(self, request: Request) -> Response:
        """Send the messages of many again, in the order in which they failed."""
        query = Query(request, {"entity", "code", "all", "limit", "dry_run", "force"})
        await require_no_fields(request)
        wanted = _wanted(query)
        if (wanted == EVERY) is not query.flag("all"):
            raise Invalid("query", [Fault("/all", "say entity or code, or all=true")])
        limit = query.number("limit", 1, MOST) or MOST
        retry, dry_run = self._service.dead.retry_all, query.flag("dry_run")
        force = query.flag("force")
        return Json(await self._service.read(retry, wanted, limit, dry_run=dry_run, force=force))

    async def show(self, request: Request) -> Response:
        """One dead letter."""
        return await self._do(request, self._service.dead.show)

    async def retry(self, request: Request) -> Response:
        """Send the message again."""
        force = Query(request, {"force"}).flag("force")
        retry, id_ = self._service.dead.retry, request.path_params["id"]
        return Json(await self._service.read(retry, id_, force=force))

    async def drop(self, request: Request) -> Response:
        """Forget the message."""
        return await self._do(request, self._service.dead.drop)

    async def _do(self, request: Request, action: Callable[[str], Any]) -> Response:
        Query(request)
        return Json(await self._service.read(action, request.path_params["id"]))


def _wanted(query: Query) -> Wanted:
    return Wanted(query.text("entity"), query.text("code"))
