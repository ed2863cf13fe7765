"""Problems for people: whatever says no to a browser on the console, it gets a page."""

from http import HTTPStatus
from typing import Any

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wherry.codec import from_json
from wherry.http.console.pages import Pages, wants_json
from wherry.http.problems import MEDIA_TYPE

#: The page where somebody says who they are.
SIGN_IN = "/console/sign-in"
_KEPT = (
    *("retry-after", "allow", "www-authenticate"),
    *("x-correlation-id", "x-content-type-options"),
)


class ForPeople:
    """Turns problems of the console into pages, and a 401 into the way to the sign-in page."""

    def __init__(self, app: ASGIApp, pages: Pages) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry one request through (ASGI)."""
        path = scope["path"] if scope["type"] == "http" else ""
        if not (path == "/console" or path.startswith("/console/")):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if wants_json(request):
            await self._app(scope, receive, send)
            return
        held = _Held(send)
        await self._app(scope, receive, held)
        if held.start is not None:
            await self._page(request, held)(scope, receive, send)

    def _page(self, request: Request, held: "_Held") -> Response:
        assert held.start is not None  # noqa: S101 - only then there is something to show
        status = held.start["status"]
        if status == HTTPStatus.UNAUTHORIZED and "hx-request" not in request.headers:
            return RedirectResponse(SIGN_IN, 303, {"Cache-Control": "no-store"})
        response = self._pages.show(request, "problem.html", {"problem": held.problem()}, status)
        for name in _KEPT:
            if name in held.headers:
                response.headers[name] = held.headers[name]
        return response


class _Held:
    """Passes a response on, but keeps a problem."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._body = b""
        self.start: Message | None = None
        self.headers = MutableHeaders()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            if headers.get("content-type", "").startswith(MEDIA_TYPE):
                self.start, self.headers = message, headers
        if self.start is None:
            await self._send(message)
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")

    def problem(self) -> dict[str, Any]:
        """What was said."""
        try:
            found: dict[str, Any] = from_json(self._body)
        except msgspec.DecodeError:  # the answer to HEAD has no body
            phrase = HTTPStatus(self.start["status"]).phrase if self.start else ""
            return {"title": phrase, "detail": phrase, "code": "", "type": "/docs", "status": 0}
        return found
