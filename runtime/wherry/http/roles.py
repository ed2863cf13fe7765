"""Who may use a route: a role for each method of each path."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wherry.http.security.visits import visit_of
from wherry.roles import Role

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Door:
    """One method of one path, and the role that its callers need; None: it is open to all."""

    role: Role | None
    endpoint: Endpoint
    audited: bool = False
    also: Role | None = None


def anyone(endpoint: Endpoint) -> Door:
    """Let everybody in, without asking who it is: probes."""
    return Door(None, endpoint)


def read(endpoint: Endpoint) -> Door:
    """Let those in who may look."""
    return Door("read", endpoint)


def answer(endpoint: Endpoint) -> Door:
    """Let those in who may look, and those who may send: what became of what they sent."""
    return Door("read", endpoint, also="invoke")


def invoke(endpoint: Endpoint, *, audited: bool = False) -> Door:
    """Let those in who may send commands. `audited`: the audit tells that they did."""
    return Door("invoke", endpoint, audited)


def operate(endpoint: Endpoint) -> Door:
    """Let those in who may mend; the audit tells what they did."""
    return Door("operate", endpoint, audited=True)


class Guarded(Route):
    """One route for all methods of a path, so that a 405 names them all."""

    def __init__(self, path: str, get: Door | None = None, post: Door | None = None) -> None:
        # To look is no deed, whoever may do it.
        named = {"GET": replace(get, audited=False) if get else None, "POST": post}
        self.doors = {method: door for method, door in named.items() if door is not None}
        super().__init__(path, self.enter, methods=list(self.doors), name=path)

    async def enter(self, request: Request) -> Response:
        """Answer a request whose method is one of ours."""
        door = self.doors["GET" if request.method == "HEAD" else request.method]
        visit = visit_of(request.scope)
        if door.audited:
            return await visit.audited(self.path, door.role, request, door.endpoint)
        visit.require(door.role, door.also)
        return await door.endpoint(request)

    @property
    def is_open(self) -> bool:
        """Whether nobody has to say who it is to come in here."""
        return all(door.role is None for door in self.doors.values())
