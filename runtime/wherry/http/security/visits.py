"""A visit: one request of one caller, from the edge to the route."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from wherry.errors import WherryError
from wherry.gateway.problems import of_error
from wherry.http.problems import MEDIA_TYPE, Refused
from wherry.http.security.callers import NOBODY, Caller, forbidden, unauthenticated
from wherry.http.security.trail import Trail
from wherry.roles import Role

#: Where the edge leaves the visit for the routes.
KEY = "wherry.visit"


class Visit:
    """Who has come, and where what they do is written down."""

    def __init__(self, caller: Caller = NOBODY, trail: Trail | None = None) -> None:
        self.caller = caller
        self._trail = trail

    def require(self, role: Role | None, also: Role | None = None) -> None:
        """Go on only if the caller has a role, or the other. Raises Refused (401, 403)."""
        if role is None or role in self.caller.roles or also in self.caller.roles:
            return
        if self.caller is NOBODY:
            raise unauthenticated("this needs credentials", presented=False)
        raise forbidden(self.caller, role)

    async def audited(
        self,
        path: str,
        role: Role | None,
        request: Request,
        act: Callable[[Request], Awaitable[Response]],
    ) -> Response:
        """Let the caller act if they may; either way it is written down before they know."""
        outcome = "internal"
        try:
            self.require(role)
            response = await act(request)
            outcome = _said(response)
        except (WherryError, HTTPException) as error:
            outcome = _code(error)
            raise
        finally:
            if self._trail is not None and self.caller is not NOBODY:
                await self._trail.write(self.caller, path, request, outcome)
        return response


def visit_of(scope: Mapping[str, Any]) -> Visit:
    """The visit that a request is; whoever did not pass the edge is nobody."""
    found = scope.get(KEY)
    return found if isinstance(found, Visit) else Visit()


def _said(response: Response) -> str:
    """What a response says of the deed, in one word."""
    if response.status_code < 400:
        return "pending" if response.status_code == 202 else "done"
    if response.media_type == MEDIA_TYPE:
        return str(msgspec.json.decode(response.body).get("code"))
    return f"status {response.status_code}"


def _code(error: Exception) -> str:
    if isinstance(error, HTTPException):
        return f"status {error.status_code}"
    return error.shown.code if isinstance(error, Refused) else of_error(error).code
