"""The server's clock, sampled now and then and advanced in between; it never goes back."""

import time

from wherry.store.client import Store


class ServerClock:
    """Redis's time in ms, without a round trip for each reading. `sync` comes before the first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last = 0
        self._server_ms = 0
        self._taken = time.monotonic()

    def sync(self) -> None:
        """Ask the server."""
        self._server_ms = self._store.now_ms()
        self._taken = time.monotonic()

    def now_ms(self) -> int:
        """The server's time, at least the last one given."""
        advanced = self._server_ms + int((time.monotonic() - self._taken) * 1000)
        self._last = max(self._last, advanced)
        return self._last
