"""The calls of a namespace as a runner's event loop sees them. Only runners use it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wherry.store import calls, effects
from wherry.store.batching import Batcher
from wherry.store.calls import Asking, FunctionCall, Settling
from wherry.store.clock import Clock
from wherry.store.effects import Permission, Taken
from wherry.store.keys import Keys
from wherry.store.link import Link

#: One call of the script takes at most so many: it must stay short.
TAKEN_AT_ONCE = 100


@dataclass
class Ledger:
    """Reads and writes; what is asked for in the same moment goes in one round trip.

    Everything raises Unreachable when Redis does not answer.
    """

    link: Link
    keys: Keys

    def __post_init__(self) -> None:
        self._batcher = Batcher(self.link.run)
        self.clock = Clock(self._server_ms)

    async def take(self, partitions: Sequence[int], most: int, lease_ms: int) -> dict[int, Taken]:
        """Take up to `most` calls that are due, of all these partitions alike."""
        now = await self.clock.now_ms()
        each = min(TAKEN_AT_ONCE, max(1, most // max(1, len(partitions))))
        chosen = partitions[:most]
        found = await asyncio.gather(
            *(
                self._run(calls.take(self.keys.partition(number), now, lease_ms, each))
                for number in chosen
            ),
            return_exceptions=True,
        )
        # What some partitions gave is ours even if others failed; those are asked again.
        taken = {
            n: r for n, r in zip(chosen, found, strict=True) if not isinstance(r, BaseException)
        }
        if not taken and (errors := [one for one in found if isinstance(one, BaseException)]):
            raise errors[0]
        return {number: effects.taken(reply) for number, reply in taken.items()}

    async def renew(
        self, held: Mapping[int, Sequence[tuple[str, int]]], lease_ms: int
    ) -> list[str]:
        """Keep calls, by partition: id and n of each. Returns the ids of those that are lost."""
        until = await self.clock.now_ms() + lease_ms
        found = await asyncio.gather(
            *(
                self._run(calls.renew(self.keys.partition(number), until, pairs))
                for number, pairs in held.items()
            )
        )
        return [lost for reply in found for lost in effects.renewed(reply).lost]

    async def settle(self, settling: Settling) -> bool | None:
        """Settle an attempt: whether to start a pump; None when the call is not ours any more."""
        return effects.settled(await self._run(calls.settle(self.keys, settling)))

    async def ask_breaker(self, target: str, asking: Asking) -> Permission:
        """Tell a breaker how calls went, and ask whether more may be made."""
        now = await self.clock.now_ms()
        return effects.permission(await self._run(calls.breaker(self.keys, target, now, asking)))

    async def look(self, partitions: int) -> list[int | None]:
        """When the next call of each partition may be taken, ms. Compares the clocks, too."""
        words = [
            ("ZRANGE", self.keys.partition(number).effects, 0, 0, "WITHSCORES")
            for number in range(partitions)
        ]
        *found, _ = await asyncio.gather(*map(self._batcher.ask, words), self.clock.sample())
        return [int(float(first[1])) if first else None for first in found]

    async def _run(self, call: FunctionCall) -> Any:
        return await self._batcher.ask(call.words(self.keys.namespace))

    async def _server_ms(self) -> int:
        seconds, micros = await self._batcher.ask(("TIME",))
        return int(seconds) * 1000 + int(micros) // 1000
