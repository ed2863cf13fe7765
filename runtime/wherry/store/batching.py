"""Batching: what is asked for in the same moment goes to Redis in one round trip."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from wherry.errors import Unreachable
from wherry.store.link import Words

Run = Callable[[Sequence[Words]], Awaitable[list[Any]]]

#: A round trip carries at most this many commands, so that the first need not wait for the last.
MOST = 256

_Asked = tuple[Words, "asyncio.Future[Any]"]


class Batcher:
    """Carries commands to Redis: one round trip at a time; what comes meanwhile is the next.

    So batches grow by themselves under load, and a lone command never waits for company.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._asked: list[_Asked] = []
        self._trips: asyncio.Task[None] | None = None

    async def ask(self, words: Words) -> Any:
        """Carry out one command. Raises what went wrong with it: Unreachable when nobody knows."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked.append((words, answer))
        if self._trips is None:
            self._trips = asyncio.create_task(self._travel())
        return await answer

    async def _travel(self) -> None:
        # It starts in the next tick of the loop: all that this tick asks is in the first trip.
        while batch := self._asked[:MOST]:
            del self._asked[:MOST]
            _settle(batch, await self._trip(batch))
        self._trips = None

    async def _trip(self, batch: Sequence[_Asked]) -> list[Any]:
        try:
            return await self._run([words for words, _ in batch])
        except Exception as error:  # noqa: BLE001 - every asker learns it; nobody may wait for ever
            return [error] * len(batch)
        except asyncio.CancelledError:
            _settle(batch, [Unreachable("this process stops")] * len(batch))
            raise


def _settle(batch: Sequence[_Asked], answers: Sequence[Any]) -> None:
    for (_, answer), found in zip(batch, answers, strict=True):
        if answer.done():  # its asker has gone
            continue
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)
