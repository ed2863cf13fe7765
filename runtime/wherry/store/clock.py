"""The server's clock for an event loop: sampled now and then, advanced in between, never back."""

import time
from collections.abc import Awaitable, Callable

from wherry.errors import Unreachable

#: How often the clock is compared with the server's.
SAMPLE_S = 2.0


class Clock:
    """Redis's time in ms. `ask_ms` asks the server."""

    def __init__(self, ask_ms: Callable[[], Awaitable[int]]) -> None:
        self._ask_ms = ask_ms
        self._ahead_ms = 0.0
        self._last = 0

    async def now_ms(self) -> int:
        """The server's time. Raises Unreachable when it has never been known."""
        if not self._last:
            await self.sample()
        return self.reading_ms()

    def reading_ms(self) -> int:
        """The server's time as far as it is known; `sample` comes before the first."""
        self._last = max(self._last, int(time.monotonic() * 1000 + self._ahead_ms))
        return self._last

    async def sample(self) -> None:
        """Ask the server."""
        server_ms = await self._ask_ms()
        self._ahead_ms = server_ms - time.monotonic() * 1000
        self._last = max(self._last, server_ms)

    async def sample_safely(self) -> None:
        """Ask the server, and do without its answer when there is none."""
        try:
            await self.sample()
        except Unreachable:
            return
