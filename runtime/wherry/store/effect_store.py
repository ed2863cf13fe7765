"""The sync side of effects: what waits, what is parked, and what an operator does about it.

Runners take and settle calls through `store.link`; the words are the same.
"""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import cast

from wherry.store import calls
from wherry.store.calls import Settling
from wherry.store.client import Store, reaching
from wherry.store.effects import (
    BreakerState,
    StoredCall,
    Waiting,
    breaker_state,
    resumed,
    settled,
    stored_call,
)

_PAGE = 500


class EffectStore:
    """The calls to the outside world of one namespace."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._redis = store.redis
        self._keys = store.keys

    def waiting(self, partitions: int) -> list[Waiting]:
        """How many calls of each partition are not settled."""
        with reaching():
            pipe = self._redis.pipeline(transaction=False)
            for number in range(partitions):
                own = self._keys.partition(number)
                pipe.zcard(own.effects)
                pipe.zcard(own.parked)
            counts = pipe.execute()
        return [Waiting(*pair) for pair in zip(counts[::2], counts[1::2], strict=True)]

    def find(self, partition: int, effect_id: str) -> StoredCall | None:
        """A call that is not settled; None when there is none of this id."""
        return next(iter(self._stored_calls(partition, [effect_id])), None)

    def due(self, partition: int) -> Iterator[StoredCall]:
        """The calls of a partition that wait for their time or run, the earliest first.

        They are read page by page: one that moves meanwhile may be missed.
        """
        key = self._keys.partition(partition).effects
        for start in count(0, _PAGE):
            with reaching():
                found = self._redis.zrange(key, start, start + _PAGE - 1)
            ids = [id_.decode() for id_ in cast("list[bytes]", found)]
            yield from self._stored_calls(partition, ids)
            if len(ids) < _PAGE:
                return

    def parked(self, partition: int, limit: int = 100) -> list[StoredCall]:
        """The calls of a partition that wait for a person, the oldest first."""
        with reaching():
            found = self._redis.zrange(self._keys.partition(partition).parked, 0, limit - 1)
        return self._stored_calls(partition, [id_.decode() for id_ in cast("list[bytes]", found)])

    def _stored_calls(self, partition: int, ids: list[str]) -> list[StoredCall]:
        own = self._keys.partition(partition)
        if not ids:
            return []
        with reaching():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hmget(own.effect, ids)
            pipe.hmget(own.attempt, ids)
            pipe.zmscore(own.effects, ids)
            pipe.zmscore(own.parked, ids)
            rows = zip(ids, *pipe.execute(), strict=True)
        return [stored_call(partition, *row) for row in rows if row[1] is not None]

    def settle(self, settling: Settling) -> bool | None:
        """Say what became of a call; return whether to start a pump, None when it is gone."""
        return settled(self._store.call(calls.settle(self._keys, settling)))

    def resume(self, partition: int, effect_id: str, now_ms: int) -> int | None:
        """Let a call be tried now; return how many runners heard, None: gone, or running."""
        own = self._keys.partition(partition)
        return resumed(self._store.call(calls.resume_effect(own, effect_id, now_ms)))

    def breakers(self, targets: Iterable[str]) -> list[BreakerState]:
        """The breakers of these targets."""
        names = list(targets)
        with reaching():
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                pipe.hgetall(self._keys.breaker(name))
            found = pipe.execute()
        return [breaker_state(name, one) for name, one in zip(names, found, strict=True)]
