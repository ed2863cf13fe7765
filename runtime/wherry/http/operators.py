"""What operators did, and the keys with which callers come in. Making keys is for a terminal.

A web server may read keys and not write them: somebody who has taken one over can make none.
"""

from starlette.requests import Request
from starlette.responses import Response

from wherry.gateway.api_keys import ApiKeys
from wherry.gateway.audit import Audit
from wherry.gateway.views import MOST
from wherry.http.bodies import Json
from wherry.http.entities import PAGE
from wherry.http.queries import Query
from wherry.http.service import Service


class Operators:
    """The routes about operators."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._audit = Audit(service.runtime.store)
        self._keys = ApiKeys(service.runtime.store)

    async def audit(self, request: Request) -> Response:
        """What operators did, newest first."""
        limit = Query(request, {"limit"}).number("limit", 1, MOST) or PAGE
        return Json(await self._service.read(self._audit.entries, limit))

    async def keys(self, request: Request) -> Response:
        """The API keys, newest first; nothing that opens a door."""
        Query(request)
        return Json(await self._service.read(self._keys.listed))
