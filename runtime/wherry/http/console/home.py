"""Home: what needs somebody."""

from starlette.requests import Request
from starlette.responses import Response

from wherry.gateway.needs import Needs
from wherry.http.console.pages import Pages, query
from wherry.http.service import Service


class Home:
    """The attention list."""

    def __init__(self, service: Service, pages: Pages) -> None:
        self._service = service
        self._pages = pages
        self._needs = Needs(service.runtime, service.dead, service.effects, service.pauses)

    async def show(self, request: Request) -> Response:
        """All that will not go on by itself."""
        query(request)
        needs = await self._service.read(self._needs.listed)
        return self._pages.show(request, "home.html", needs)
