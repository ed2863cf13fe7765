"""Who may use a route: a role for each method of each path."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Endpoint = Callable[[Request], Awaitable[Response]]

#: `open`: whoever reaches us; `read`: look; `invoke`: send commands, start and cancel sagas;
#: `operate`: mend what is stuck, pause, and see who did so.
Role = Literal["open", "read", "invoke", "operate"]


@dataclass(frozen=True, slots=True)
class Door:
    """One method of one path, and the role that its callers need."""

    role: Role
    endpoint: Endpoint


def anyone(endpoint: Endpoint) -> Door:
    """Let everybody in, without asking who it is: probes."""
    return Door("open", endpoint)


def read(endpoint: Endpoint) -> Door:
    """Let those in who may look."""
    return Door("read", endpoint)


def invoke(endpoint: Endpoint) -> Door:
    """Let those in who may send commands."""
    return Door("invoke", endpoint)


def operate(endpoint: Endpoint) -> Door:
    """Let those in who may mend; what they do is kept in the audit."""
    return Door("operate", endpoint)


class Guarded(Route):
    """One route for all methods of a path, so that a 405 names them all."""

    def __init__(self, path: str, get: Door | None = None, post: Door | None = None) -> None:
        named = {"GET": get, "POST": post}
        self.doors = {method: door for method, door in named.items() if door is not None}
        super().__init__(path, self.enter, methods=list(self.doors), name=path)

    async def enter(self, request: Request) -> Response:
        """Answer a request whose method is one of ours."""
        door = self.doors["GET" if request.method == "HEAD" else request.method]
        return await door.endpoint(request)
