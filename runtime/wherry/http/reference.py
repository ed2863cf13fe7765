"""The reference: what can be asked here, for programs and for people. Needs no network."""

from html import escape
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from wherry.errors import NotFound
from wherry.http.bodies import Json
from wherry.http.openapi import document
from wherry.http.problem_texts import TEXTS, of_domain
from wherry.http.queries import Query
from wherry.http.reference_page import page, reference
from wherry.http.service import Service

if TYPE_CHECKING:
    from wherry.engine.registry import Registry


class Reference:
    """The routes of the reference."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._made: tuple[Registry, dict[str, Any]] | None = None

    @property
    def _document(self) -> dict[str, Any]:
        """The document of what is deployed now."""
        registry = self._service.runtime.registry
        if self._made is None or self._made[0] is not registry:
            self._made = registry, document(registry)
        return self._made[1]

    async def openapi(self, request: Request) -> Response:
        """The OpenAPI document."""
        Query(request)
        return Json(self._document)

    async def page(self, request: Request) -> Response:
        """The reference as one page."""
        Query(request)
        return reference(self._document, sorted(TEXTS))

    async def problem(self, request: Request) -> Response:
        """What a code means, and what to do."""
        Query(request)
        code = request.path_params["code"]
        text = TEXTS.get(code) or of_domain(code)
        if text is None:
            raise NotFound(f"no problem has the code {code!r}")
        return page(
            code, f"<p>{escape(text.what)}</p><p><b>What to do:</b> {escape(text.remedy)}</p>"
        )
