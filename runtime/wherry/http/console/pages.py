"""From data to a page. The data of a page is its JSON twin; a template only shows it."""

import hashlib
from typing import Any
from urllib.parse import quote, unquote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from wherry.codec import from_json, to_json
from wherry.gateway.shapes import Json as Shape
from wherry.http.bodies import Json
from wherry.http.console.templating import environment
from wherry.http.headers import accepted
from wherry.http.queries import Query
from wherry.http.security.cookie import SESSION
from wherry.http.service import Service

HTML = "text/html"
JSON = "application/json"
#: What every page may be asked: its twin, and whether it has changed.
COMMON = frozenset({"as", "seen"})
#: What an action has said, for the next page only. A cookie: a link must not make us say things.
_SAID = "wherry-said"

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'; object-src 'none'",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Accept",
}


class Pages:
    """Shows data as a page, or as JSON to whoever likes that better."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._templates = environment()

    def show(
        self,
        request: Request,
        template: str,
        data: Shape,
        status: int = 200,
        *,
        typed: bool = False,
    ) -> Response:
        """The response with data. One that the browser has already is said to be unchanged.

        Values that nobody should read over a shoulder are hidden, unless the reader has `typed`
        them on this page.
        """
        shown = from_json(to_json(data)) if typed else self.fit_to_show(data)
        if wants_json(request):
            return Json(shown, status, _HEADERS)
        digest = hashlib.sha256(to_json(shown)).hexdigest()[:16]
        if request.query_params.get("seen") == digest:
            return Response(status_code=204, headers=_HEADERS)
        text = self._templates.get_template(template).render(
            shown,
            here=Here(request, digest),
            namespace=self._service.runtime.namespace,
        )
        response = HTMLResponse(text, status, _HEADERS)
        if _SAID in request.cookies:
            response.delete_cookie(_SAID, "/console", httponly=True, samesite="strict")
        return response

    def part(self, template: str, data: Shape) -> str:
        """A part of a page as text."""
        return self._templates.get_template(template).render(self.fit_to_show(data))

    def fit_to_show(self, data: Shape) -> Shape:
        """Plain values, without those that are hidden."""
        shown: Shape = self._service.runtime.registry.redactor.shown(from_json(to_json(data)))
        return shown


class Here:
    """Where the reader is: the address of the page, and of what belongs to it."""

    def __init__(self, request: Request, digest: str) -> None:
        self.path = request.url.path
        self.digest = digest
        self.signed_in = SESSION in request.cookies
        self.said = unquote(request.cookies.get(_SAID, ""))
        own = ((k, v) for k, v in request.query_params.multi_items() if k not in COMMON)
        self._given = tuple(own)

    @property
    def url(self) -> str:
        """The address of the page, as it was asked for."""
        return self.to()

    @property
    def twin(self) -> str:
        """The same as JSON."""
        return self.to(**{"as": "json"})

    @property
    def again(self) -> str:
        """The page, unless it is still the one that is shown."""
        return self.to(seen=self.digest)

    def to(self, **changes: Any) -> str:
        """The page with other parameters; None takes one away."""
        return self.at(self.path, **changes)

    def at(self, path: str, **changes: Any) -> str:
        """Another path with the parameters of this page, or others."""
        given = dict(self._given) | changes
        kept = {name: value for name, value in given.items() if value is not None}
        return f"{path}?{urlencode(kept)}" if kept else path


def wants_json(request: Request) -> bool:
    """Whether the client asks for data, by the address or by `Accept`."""
    given = request.query_params.get("as")
    return given == "json" if given else accepted(request, (HTML, JSON)) == JSON


def query(request: Request, *known: str) -> Query:
    """The parameters of a page; unknown ones are refused."""
    return Query(request, COMMON | set(known))


def back(path: str, said: str) -> Response:
    """Go to a page after something was done, and say there what it was."""
    response = RedirectResponse(path, 303)
    response.set_cookie(
        _SAID, quote(said), max_age=30, path="/console", httponly=True, samesite="strict"
    )
    return response
