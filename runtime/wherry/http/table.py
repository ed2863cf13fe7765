"""Which route a path leads to. Starlette asks every route in turn; we have a table.

Paths are cut into segments before they are decoded, so that `%2F` in a key is part of the key and
never leads somewhere else.
"""

from collections.abc import Iterable, Mapping
from urllib.parse import unquote_to_bytes

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from wherry.errors import WherryError
from wherry.http.problems import on_error, on_fault, on_http_error
from wherry.http.roles import Guarded

Found = tuple[Guarded, Mapping[str, str]]


class Table:
    """All routes of the API. What is not in it goes to `rest`."""

    def __init__(self, routes: Iterable[Guarded], rest: ASGIApp) -> None:
        self._rest = rest
        self._rows = [_Row(route) for route in routes]
        self._firsts = {row.first for row in self._rows} - {""}
        # Beside the number of segments the first after /v1 tells most routes apart.
        self._found: dict[tuple[int, str], list[_Row]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry out one request (ASGI)."""
        found = self._find(scope) if scope["type"] == "http" else None
        if found is None:
            await self._rest(scope, receive, send)
            return
        route, scope["path_params"] = found
        scope["route"] = route
        request = Request(scope, receive)
        try:
            response = await _answer(route, request)
        except WherryError as error:
            response = await on_error(request, error)
        except HTTPException as error:
            response = await on_http_error(request, error)
        except Exception as error:
            await (await on_fault(request, error))(scope, receive, send)
            raise  # so that it is logged
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> Found | None:
        """The first route that knows path and method; else the first that knows the path."""
        segments = _segments(scope)
        method = scope["method"]
        other: Found | None = None
        for row in self._candidates(segments):
            if other and not row.first:
                break  # what is particular hides what is general, whatever the method
            params = row.match(segments)
            if params is not None:
                if method in row.methods:
                    return row.route, params
                other = other or (row.route, params)
        return other

    def _candidates(self, segments: list[str]) -> "list[_Row]":
        first = segments[1] if len(segments) > 1 and segments[1] in self._firsts else ""
        known = self._found.get((len(segments), first))
        if known is None:
            known = [row for row in self._rows if row.may_be(len(segments), first)]
            if known:  # the lengths of real routes: a client cannot make this grow
                self._found[len(segments), first] = known
        return known


async def _answer(route: Guarded, request: Request) -> Response:
    known = route.methods or set()
    if request.method not in known:
        raise HTTPException(405, headers={"Allow": ", ".join(sorted(known))})
    return await route.enter(request)


class _Row:
    """One route, cut into segments."""

    def __init__(self, route: Guarded) -> None:
        self.route = route
        self.methods: set[str] = route.methods or set()
        self._segments = route.path.split("/")[1:]
        second = self._segments[1] if len(self._segments) > 1 else ""
        self.first = "" if second.startswith("{") else second
        self._fixed = [(n, s) for n, s in enumerate(self._segments) if not s.startswith("{")]
        self._named = [(n, s[1:-1]) for n, s in enumerate(self._segments) if s.startswith("{")]

    def may_be(self, count: int, first: str) -> bool:
        """Whether a path of so many segments, of which the second is `first`, may lead here."""
        return count == len(self._segments) and self.first in {"", first}

    def match(self, segments: list[str]) -> dict[str, str] | None:
        """The parameters of a path; None when it does not lead here."""
        for number, text in self._fixed:
            if segments[number] != text:
                return None
        named = {name: segments[number] for number, name in self._named}
        return None if "" in named.values() else named


def _segments(scope: Scope) -> list[str]:
    raw: bytes = scope.get("raw_path") or b""
    if b"%" not in raw:
        path: str = scope["path"]
        return path.split("/")[1:]
    return [unquote_to_bytes(part).decode(errors="replace") for part in raw.split(b"/")[1:]]
