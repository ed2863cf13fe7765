"""Waiting: who waits for which command, and the channel on which results arrive."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager

from wherry.engine.envelope import Result, read_result
from wherry.errors import Unreachable

log = logging.getLogger(__name__)

Arrival = asyncio.Future[Result | None]
Subscribe = Callable[[], AbstractAsyncContextManager[AsyncIterator[bytes]]]

#: How long to pause before subscribing again; until then the waiters look for themselves.
PAUSE_S = 0.2


class Waiters:
    """Everybody in this process who waits for a result, by command id."""

    def __init__(self) -> None:
        self._arrivals: dict[str, list[Arrival]] = {}

    @contextmanager
    def expect(self, command_id: str) -> Iterator[Arrival]:
        """Wait for a command: the future gets its result, or None when waiting is over."""
        arrival: Arrival = asyncio.get_running_loop().create_future()
        waiting = self._arrivals.setdefault(command_id, [])
        waiting.append(arrival)
        try:
            yield arrival
        finally:
            waiting.remove(arrival)
            if not waiting and self._arrivals.get(command_id) is waiting:
                del self._arrivals[command_id]

    def arrived(self, result: Result) -> None:
        """Hand a result to those who wait for it."""
        for arrival in self._arrivals.get(result.command_id, ()):
            if not arrival.done():
                arrival.set_result(result)

    def give_up(self) -> None:
        """Let everybody go without a result."""
        for waiting in self._arrivals.values():
            for arrival in waiting:
                if not arrival.done():
                    arrival.set_result(None)

    def count(self) -> int:
        """How many wait."""
        return sum(len(waiting) for waiting in self._arrivals.values())


async def listen(waiters: Waiters, subscribe: Subscribe, subscribed: asyncio.Event) -> None:
    """Hand out what arrives, for ever; a lost connection is made anew."""
    while True:
        try:
            async with subscribe() as messages:
                subscribed.set()
                async for data in messages:
                    waiters.arrived(read_result(data))
        except Unreachable:
            log.debug("the channel of replies is lost")
        except Exception:
            log.exception("the channel of replies brought something that nobody understands")
        subscribed.clear()
        await asyncio.sleep(PAUSE_S)
