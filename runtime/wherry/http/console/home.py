"""Home: what needs somebody."""

import time
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from wherry.gateway.needs import Needs
from wherry.http.console.pages import Pages, query
from wherry.http.service import Service

if TYPE_CHECKING:
    from wherry.gateway.shapes import Json

#: Pages that look again by themselves share what one of them has found, for so many seconds.
_FRESH_S = 3.0


class Home:
    """The attention list."""

    def __init__(self, service: Service, pages: Pages) -> None:
        self._service = service
        self._pages = pages
        self._needs = Needs(service.runtime, service.dead, service.effects, service.pauses)
        self._found: Json = {}
        self._found_at = -_FRESH_S

    async def show(self, request: Request) -> Response:
        """All that will not go on by itself."""
        looks_again = bool(query(request).text("seen"))
        if not (looks_again and time.monotonic() - self._found_at < _FRESH_S):
            found = await self._service.read(self._needs.listed)
            self._found, self._found_at = found, time.monotonic()
        return self._pages.show(request, "home.html", self._found)
