"""The guard: finds out who calls. When in doubt it lets nobody in."""

from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers

from wherry.http.security.access import Access
from wherry.http.security.callers import ANYBODY, Caller, unauthenticated
from wherry.http.security.cookie import from_cookie
from wherry.http.security.key_ring import Ask, KeyRing
from wherry.http.security.tokens import Tokens
from wherry.store.keys import Keys

_KEY = "wherry_"


class Guard:
    """Tells who sends a request."""

    def __init__(
        self, access: Access, keys: Keys, ask: Ask, now_ms: Callable[[], Awaitable[int]]
    ) -> None:
        self._ring = KeyRing(keys, ask)
        self._tokens = Tokens(access) if access.issuer else None
        self._now_ms = now_ms
        #: Once anybody has to say who they are, it stays so as long as this process runs.
        self._closed = access.is_configured

    async def caller(self, headers: Headers) -> Caller:
        """Who sends this. Raises Refused (401), Unreachable."""
        if not self._closed and await self._ring.is_empty():
            return ANYBODY
        self._closed = True
        presented = _presented(headers)
        if (found := await self._find(presented)) is None:
            raise unauthenticated("these credentials open nothing", presented=True)
        return found

    async def _find(self, presented: str) -> Caller | None:
        if presented.startswith(_KEY):
            return await self._ring.caller(presented, await self._now_ms())
        return await self._tokens.caller(presented) if self._tokens else None


def _presented(headers: Headers) -> str:
    """The token of `Authorization: Bearer`. Raises Refused."""
    given = headers.getlist("authorization") or from_cookie(headers)
    if not given:
        detail = "send `Authorization: Bearer` and an API key (wherry apikey create) or a token"
        raise unauthenticated(detail, presented=False)
    scheme, _, token = given[0].partition(" ")
    token = token.strip()
    if len(given) > 1 or scheme.lower() != "bearer" or not token:
        detail = "send one header `Authorization: Bearer` with an API key or a token"
        raise unauthenticated(detail, presented=True)
    return token
