"""The edge: what happens to every request, whatever it is for."""

import re
import time
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPMethod
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wherry.errors import WherryError
from wherry.gateway.problems import of_error
from wherry.gateway.requests import new_id
from wherry.http.headers import field, fields
from wherry.http.metrics import Meters
from wherry.http.problems import Refused, refused, respond
from wherry.http.roles import Guarded
from wherry.http.security.access import names_loopback
from wherry.http.security.callers import ANYBODY, NOBODY, Caller
from wherry.http.security.visits import KEY, Visit
from wherry.http.service import Service

_SAFE = frozenset({HTTPMethod.GET, HTTPMethod.HEAD, HTTPMethod.OPTIONS})
_CORRELATION = b"x-correlation-id"
_PRINTABLE = re.compile(rb"[\x20-\x7e]+")
#: While a stream lasts, its reader's credentials are looked at so often, and not more often than
#: something is sent.
ASK_AGAIN_S = 5.0
_REBOUND = (
    "as long as nobody has to say who they are, a request has to be for localhost or 127.0.0.1:"
    " any other name may be a trick of a web page. Make an API key to serve other names"
)


class Edge:
    """Counts requests, refuses what must not pass, and gives each a correlation id.

    Whoever does not say who they are gets to the `opened` routes only; so a route that nobody
    thought of is closed.
    """

    def __init__(
        self, app: ASGIApp, service: Service, meters: Meters, opened: Iterable[Guarded]
    ) -> None:
        self._app = app
        self._opened = _any_of(opened)
        self._service = service
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry one request through (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        said = _Said(send, fields(scope).get(_CORRELATION))
        self._service.open_requests += 1
        try:
            await self._pass(scope, receive, said)
        finally:
            self._service.open_requests -= 1
            self._meters.count(scope, said.status, time.perf_counter() - began)

    async def _pass(self, scope: Scope, receive: Receive, said: "_Said") -> None:
        try:
            scope[KEY] = await self._visit(scope)
            if scope["method"] not in _SAFE:
                self._check(scope)
        except Refused as error:
            await respond(error.shown, error.headers)(scope, receive, said)
        except WherryError as error:
            await respond(of_error(error))(scope, receive, said)
        else:
            if scope[KEY].caller is not NOBODY:
                said.ask_again = lambda: self._service.guard.caller(Headers(scope=scope))
            try:
                await self._app(scope, receive, said)
            except _Unwelcome:
                await said.end()

    async def _visit(self, scope: Scope) -> Visit:
        """Who has come. Raises Refused (401, 429), Unreachable."""
        if self._opened(scope["path"]):
            return Visit()
        caller = await self._service.guard.caller(Headers(scope=scope))
        if caller is ANYBODY and not names_loopback(field(scope, b"host")):
            raise refused(403, "cross-site", _REBOUND)
        await self._service.quota.take(caller)
        return Visit(caller, self._service.trail)

    def _check(self, scope: Scope) -> None:
        """Refuse what would change something while we drain, or from another site's page."""
        if self._service.draining:
            raise refused(503, "draining", "this process stops; send it to another one", 1)
        if not _from_own_site(fields(scope)):
            raise refused(403, "cross-site", "a page of another site may not send this")


def _any_of(routes: Iterable[Guarded]) -> Callable[[str], object]:
    """Whether a path leads to one of the routes, in one look."""
    patterns = [re.sub(r"\?P<\w+>", "?:", route.path_regex.pattern) for route in routes]
    return re.compile("|".join(patterns) or r"(?!)").match


def _from_own_site(headers: dict[bytes, bytes]) -> bool:
    """Whether no browser says otherwise: programs send neither of these headers."""
    if (site := headers.get(b"sec-fetch-site")) is not None:
        return site in {b"same-origin", b"none"}
    origin = headers.get(b"origin")
    return origin is None or _netloc(origin) == headers.get(b"host", b"").decode("latin-1")


def _netloc(origin: bytes) -> str:
    try:
        return urlsplit(origin.decode("latin-1")).netloc
    except ValueError:  # such as half of an IPv6 address
        return ""


def _repeatable(correlation: bytes | None) -> bytes:
    """The id that the client sent if it is fit to be one; else a new one."""
    if correlation and len(correlation) <= 256 and _PRINTABLE.fullmatch(correlation):
        return correlation
    return new_id().encode()


class _Unwelcome(Exception):
    """The credentials of somebody who follows a stream open nothing any more."""


class _Said:
    """Passes a response on, and keeps its status."""

    def __init__(self, send: Send, correlation: bytes | None) -> None:
        self._send = send
        self._correlation = correlation
        self._asked_at = time.monotonic()
        self.ask_again: Callable[[], Awaitable[Caller]] | None = None
        self.status = 500

    async def end(self) -> None:
        """End a response that has no end of its own."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _require_welcome(self) -> None:
        """Who follows a stream has to be somebody as long as it lasts. Raises _Unwelcome."""
        now = time.monotonic()
        if self.ask_again is None or now - self._asked_at < ASK_AGAIN_S:
            return
        self._asked_at = now
        try:
            await self.ask_again()
        except WherryError as error:
            raise _Unwelcome from error

    async def __call__(self, message: Message) -> None:
        if message.get("more_body"):
            await self._require_welcome()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"]
            headers.append((b"x-content-type-options", b"nosniff"))
            if _CORRELATION not in dict(headers):
                headers.append((_CORRELATION, _repeatable(self._correlation)))
        await self._send(message)
