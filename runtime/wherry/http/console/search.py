"""The search box."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from wherry.errors import Fault, Invalid
from wherry.gateway.search import Search
from wherry.http.console.pages import Pages, query, wants_json
from wherry.http.console.templating import entity_path
from wherry.http.service import Service

#: What has a page of its own, where a single hit leads at once.
_PAGES = {"entity", "saga"}


class SearchPages:
    """What was found."""

    def __init__(self, service: Service, pages: Pages) -> None:
        self._service = service
        self._pages = pages
        self._search = Search(service.runtime, service.dead, service.effects)

    async def show(self, request: Request) -> Response:
        """Everything that a text may mean; the page itself when there is one."""
        text = query(request, "q").text("q").strip()
        if len(text) > 256:
            raise Invalid("search", [Fault("/q", "is longer than 256 characters")])
        found = await self._service.read(self._search.of, text)
        hits = found["items"]
        if "/" in text and len(hits) == 1 and hits[0]["what"] in _PAGES and not wants_json(request):
            return RedirectResponse(entity_path(hits[0]["subject"]), 303)
        return self._pages.show(request, "search.html", found)
