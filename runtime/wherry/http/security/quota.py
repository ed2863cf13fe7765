"""The quota: how many requests a second one caller may make, on all servers together.

The bucket is in Redis (lua/admit.lua). A server does not ask it for each request: it takes as
many tokens at a time as the caller may use up in a tenth of a second, and gives none back, so that
a caller of many servers gets a little less than the rate, and never more.
"""

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

from wherry.gateway.problems import Shown
from wherry.http.problems import Refused
from wherry.http.security.callers import Caller
from wherry.http.security.key_ring import Ask
from wherry.store import calls
from wherry.store.keys import Keys

#: A server uses up what it has taken, or loses it after so long.
_LIFE_S = 1.0
_BLOCK_S = 0.1
_MOST_CALLERS = 10_000


@dataclass(slots=True)
class _Purse:
    """The tokens that this server has for a caller; until when it knows that there are no more."""

    left: int = 0
    ends: float = 0.0
    empty_until: float = 0.0


class Quota:
    """Counts requests. A rate of 0 lets all pass, and asks nobody."""

    def __init__(
        self,
        rate: float,
        keys: Keys,
        namespace: str,
        ask: Ask,
        now_ms: Callable[[], Awaitable[int]],
    ) -> None:
        self._rate = rate
        self._block = max(1, int(rate * _BLOCK_S))
        self._keys = keys
        self._namespace = namespace
        self._ask = ask
        self._now_ms = now_ms
        self._purses: dict[str, _Purse] = {}

    async def take(self, caller: Caller) -> None:
        """Use up one request of a caller. Raises Refused (429), Unreachable."""
        if not self._rate:
            return
        purse = self._purse(caller.who)
        if not self._spend(purse):
            await self._fill(purse, caller.who)

    def _purse(self, who: str) -> _Purse:
        if who not in self._purses and len(self._purses) >= _MOST_CALLERS:
            self._purses.clear()
        return self._purses.setdefault(who, _Purse())

    def _spend(self, purse: _Purse) -> bool:
        now = time.monotonic()
        if purse.left > 0 and now < purse.ends:
            purse.left -= 1
            return True
        if now < purse.empty_until:
            raise _too_many(self._rate, purse.empty_until - now)
        return False

    async def _fill(self, purse: _Purse, who: str) -> None:
        call = calls.admit(
            self._keys, quote(who, safe=":@"), await self._now_ms(), self._rate, self._block
        )
        word, number = await self._ask(call.words(self._namespace))
        now = time.monotonic()
        if word != b"ADMITTED":
            purse.empty_until = now + number / 1000
            raise _too_many(self._rate, number / 1000)
        purse.left = (purse.left if now < purse.ends else 0) + number - 1
        purse.ends = now + _LIFE_S


def _too_many(rate: float, wait_s: float) -> Refused:
    detail = f"a caller may send {rate:g} requests a second"
    return Refused(Shown("rate-limited", "Too many requests", 429, 1, detail, math.ceil(wait_s)))
