"""The API keys as a server knows them: read again every few seconds."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from wherry.errors import WherryError
from wherry.gateway.api_keys import Ring
from wherry.http.security.callers import Caller
from wherry.roles import known
from wherry.store.keys import Keys
from wherry.store.link import Words

log = logging.getLogger(__name__)

Ask = Callable[[Words], Awaitable[Any]]

#: A key that was made or revoked is known after so many seconds. Nothing older is ever used: when
#: Redis is away, nobody gets in by a key.
FRESH_S = 2.0
#: When a key was used is remembered to the minute.
_COARSE_MS = 60_000


class KeyRing:
    """Looks keys up. Each reads all of them: so a look-up does not tell whether an id exists."""

    def __init__(self, keys: Keys, ask: Ask) -> None:
        self._keys = keys
        self._ask = ask
        self._ring = Ring({})
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._used: dict[str, int] = {}

    async def is_empty(self) -> bool:
        """Whether there never was a key. Raises Unreachable."""
        await self._refresh()
        return self._ring.is_empty

    async def caller(self, presented: str, now_ms: int) -> Caller | None:
        """Whose key it is; None when it opens nothing. Raises Unreachable."""
        await self._refresh()
        found = self._ring.find(presented, now_ms)
        if found is None:
            return None
        id_, key = found
        self._note_use(id_, now_ms)
        return Caller(f"key:{id_}", known(key.roles))

    async def _refresh(self) -> None:
        if time.monotonic() - self._read_at < FRESH_S:
            return
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._forget_task)
        # Somebody who goes away must not take the reading away from the others.
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        began = time.monotonic()
        found = await self._ask(("HGETALL", self._keys.api_keys))
        self._ring = Ring(found if isinstance(found, dict) else _paired(found))
        self._read_at = began

    def _forget_task(self, task: asyncio.Task[None]) -> None:
        self._reading = None
        if not task.cancelled():
            task.exception()  # whoever waited has it

    def _note_use(self, id_: str, now_ms: int) -> None:
        minute = now_ms - now_ms % _COARSE_MS
        if self._used.get(id_) != minute:
            self._used[id_] = minute
            task = asyncio.create_task(self._write_use(id_, minute))
            self._writing = task  # the loop itself holds tasks weakly

    async def _write_use(self, id_: str, minute: int) -> None:
        try:
            await self._ask(("HSET", self._keys.api_keys_used, id_, minute))
        except WherryError as error:
            log.warning("when key %s was used could not be stored: %s", id_, error)


def _paired(flat: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
