"""Waiting: who waits for which command, and the channel on which results arrive."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager

from wherry.engine.envelope import Result, read_result
from wherry.errors import Unreachable

log = logging.getLogger(__name__)

Subscribe = Callable[[], AbstractAsyncContextManager[AsyncIterator[bytes]]]

#: How long to pause before subscribing again; until then the waiters look for themselves.
PAUSE_S = 0.2


class Arrival:
    """One caller who waits. `over`: there is a result, or waiting has been given up."""

    __slots__ = ("_bell", "over", "result")

    def __init__(self) -> None:
        self.over = False
        self.result: Result | None = None
        self._bell: asyncio.Future[None] | None = None

    async def within(self, seconds: float) -> bool:
        """Wait for it to be over, for so long at most; return whether it is."""
        if self.over:
            return True
        loop = asyncio.get_running_loop()
        self._bell = loop.create_future()
        timer = loop.call_later(seconds, _ring, self._bell)
        try:
            await self._bell
        finally:
            timer.cancel()
        return self.over

    def end(self, result: Result | None) -> None:
        """Let the caller go, with a result or without; the first one counts."""
        if not self.over:
            self.over, self.result = True, result
            if self._bell is not None:
                _ring(self._bell)


def _ring(bell: "asyncio.Future[None]") -> None:
    if not bell.done():
        bell.set_result(None)


class Waiters:
    """Everybody in this process who waits for a result, by command id."""

    def __init__(self) -> None:
        self._arrivals: dict[str, list[Arrival]] = {}

    @contextmanager
    def expect(self, command_id: str) -> Iterator[Arrival]:
        """Wait for a command."""
        arrival = Arrival()
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
            arrival.end(result)

    def give_up(self) -> None:
        """Let everybody go without a result."""
        for waiting in self._arrivals.values():
            for arrival in waiting:
                arrival.end(None)

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
