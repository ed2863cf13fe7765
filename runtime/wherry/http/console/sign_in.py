"""Signing in: a browser says who it is with an API key, and keeps it in a cookie of the console.

The cookie is the key itself, so that a key that is revoked opens nothing at once, here and in
every other process. No script can read it, no other site makes a browser send it, and it is sent
to the console only.
"""

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from wherry.http.console.for_people import SIGN_IN
from wherry.http.console.forms import read_form
from wherry.http.console.pages import Pages, query
from wherry.http.problems import Refused
from wherry.http.security.callers import ANYBODY
from wherry.http.security.cookie import SESSION
from wherry.http.service import Service


class SignIn:
    """The routes of signing in and out."""

    def __init__(self, service: Service, pages: Pages) -> None:
        self._service = service
        self._pages = pages

    async def page(self, request: Request) -> Response:
        """The page."""
        query(request)
        return self._pages.show(request, "sign_in.html", {"refused": None})

    async def enter(self, request: Request) -> Response:
        """Let somebody in whose key opens something."""
        key = (await read_form(request)).need("key").strip()
        try:
            caller = await self._service.guard.caller(Headers({"authorization": f"Bearer {key}"}))
        except (Refused, UnicodeEncodeError):
            shown = {"refused": "This key opens nothing: it is mistyped, revoked or has ended."}
            return self._pages.show(request, "sign_in.html", shown, 401)
        response = RedirectResponse("/console", 303)
        if caller is ANYBODY:  # nobody has to say who they are: then let nobody keep a secret here
            return response
        response.set_cookie(
            SESSION, key, path="/console", httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return response

    async def leave(self, request: Request) -> Response:
        """Forget who it is."""
        del request
        response = RedirectResponse(SIGN_IN, 303)
        response.delete_cookie(SESSION, path="/console", httponly=True, samesite="strict")
        return response
