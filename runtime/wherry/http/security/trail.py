"""Writing down what operators do by HTTP."""

import logging
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request

from wherry.gateway.audit import Deed, writing
from wherry.http.security.callers import Caller
from wherry.http.security.key_ring import Ask

log = logging.getLogger(__name__)

#: Who is refused the same again and again is written down once in this time: nobody who may do
#: nothing can push what others did out of the audit.
_QUIET_S = 60.0
_MOST_REFUSED = 10_000


class Trail:
    """The audit, as a server writes it."""

    def __init__(self, key: str, keep: int, ask: Ask, now_ms: Callable[[], Awaitable[int]]) -> None:
        self._key = key
        self._keep = keep
        self._ask = ask
        self._now_ms = now_ms
        self._refused: dict[tuple[str, str], float] = {}

    async def write(self, caller: Caller, path: str, request: Request, outcome: str) -> None:
        """Write down what was done, or what somebody wanted to do and might not."""
        action = f"{request.method} {path}"
        if outcome == "forbidden" and self._is_repeated(caller.who, action):
            return
        query = f"?{request.url.query}" if request.url.query else ""
        about = (caller.who, "http", action, request.url.path + query, outcome)
        correlation = request.headers.get("x-correlation-id", "")
        try:
            deed = Deed(await self._now_ms(), *about, correlation)
            await self._ask(writing(self._key, deed, self._keep))
        except Exception:
            # It is done, or it is not, and the caller learns which; our log has to tell of it.
            log.exception("not in the audit: %s", about)

    def _is_repeated(self, who: str, action: str) -> bool:
        now = time.monotonic()
        before = self._refused.get((who, action))
        if before is not None and now - before < _QUIET_S:
            return True
        if len(self._refused) >= _MOST_REFUSED:
            self._refused.clear()
        self._refused[who, action] = now
        return False
