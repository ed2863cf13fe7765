"""Where a partition stands, what of it is paused, and which messages are held back."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

import msgspec

from wherry.codec import to_json
from wherry.engine.holding import Held, Holding
from wherry.store import calls
from wherry.store.client import Store, reaching

#: Marks of a whole partition: its turns, timers and calls; and sending to it.
TURNS, SENDING = "*", "*!"


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """Since when something is paused (ms), by whom, and why."""

    since: int
    by: str = ""
    reason: str = ""


_mark = msgspec.json.Decoder(Mark)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one partition stands. `halted`: it takes no turns."""

    cursor: str
    barrier: str
    epoch: int
    halted: bool
    attention: dict[str, bytes]
    holding: Holding


@dataclass(frozen=True, slots=True)
class Resting:
    """What rests in one partition: marks, and since when messages of which entity are held back.

    `count` is how many messages that are in all.
    """

    marks: dict[str, Mark] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    count: int = 0

    @property
    def holding(self) -> Holding:
        """The same, as a turn asks it."""
        return Holding(frozenset(self.marks) - {TURNS, SENDING}, set(self.held))


class PauseStore:
    """What is paused in one namespace."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._redis = store.redis
        self._keys = store.keys

    def standing(self, partition: int) -> Standing:
        """Everything that has to be known before turns of a partition can be taken."""
        own = self._keys.partition(partition)
        with reaching():
            pipe = self._redis.pipeline(transaction=True)
            pipe.hmget(own.meta, "cursor", "barrier", "epoch", "halted")
            pipe.hgetall(own.attention)
            pipe.hkeys(own.paused)
            pipe.zrange(own.held, 0, -1)
            (cursor, barrier, epoch, halted), attention, marks, held = pipe.execute()
        paused = frozenset(name.decode() for name in marks) - {TURNS, SENDING}
        return Standing(
            (cursor or b"0-0").decode(), (barrier or b"0-0").decode(), int(epoch or 0),
            halted is not None,
            {name.decode(): kept for name, kept in attention.items()},
            Holding(paused, {name.decode() for name in held}),
        )  # fmt: skip

    def held(self, partition: int, addresses: Iterable[str], most: int) -> dict[str, Held]:
        """The first messages that are held back for entities, so many of each at most."""
        own, names = self._keys.partition(partition), list(addresses)
        with reaching():
            pipe = self._redis.pipeline(transaction=False)
            for address in names:
                key = own.held_for(*address.split("/", 1))
                pipe.llen(key)
                pipe.lrange(key, 0, most - 1)
            found = pipe.execute()
        pairs = zip(names, found[::2], found[1::2], strict=True)
        # Somebody else may have released them meanwhile; our turn will be refused.
        return {a: Held(messages, count) for a, count, messages in pairs if messages}

    def mark(self, partitions: Iterable[int], what: str, mark: Mark | None) -> list[Mark | None]:
        """Pause something, or let it go on. Returns the mark that was there, by partition."""
        said = b"" if mark is None else to_json(mark)
        replies = self._store.call_many(
            [calls.pause(self._keys.partition(number), what, said) for number in partitions]
        )
        for reply in replies:
            if reply[0] == b"INVALID":
                raise AssertionError(f"pause.lua answered {reply!r}")
        return [_mark.decode(before) if before else None for _, before in replies]

    def resting(self, partitions: int) -> list[Resting]:
        """What rests in each partition."""
        with reaching():
            pipe = self._redis.pipeline(transaction=False)
            for number in range(partitions):
                own = self._keys.partition(number)
                pipe.hgetall(own.paused)
                pipe.zrange(own.held, 0, -1, withscores=True)
                pipe.hget(own.meta, "held")
            found = pipe.execute()
        return [_resting(*found[at : at + 3]) for at in range(0, len(found), 3)]

    def halted(self, partitions: int) -> list[bool]:
        """Which partitions take no turns."""
        with reaching():
            pipe = self._redis.pipeline(transaction=False)
            for number in range(partitions):
                pipe.hexists(self._keys.partition(number).meta, "halted")
            return [bool(found) for found in pipe.execute()]

    def waiting(self, partitions: int) -> list[int]:
        """How many messages of each partition wait for a turn; none of a halted one."""
        with reaching():
            pipe = self._redis.pipeline(transaction=False)
            for number in range(partitions):
                own = self._keys.partition(number)
                pipe.xlen(own.inbox)
                pipe.hget(own.meta, "halted")
                pipe.zcard(own.held)
            found = cast("list[int | bytes | None]", pipe.execute())
        rows = zip(found[::3], found[1::3], found[2::3], strict=True)
        resting = self.resting(partitions) if any(found[2::3]) else [Resting()] * partitions
        return [
            0 if halted else int(backlog or 0) + (len(rest.holding.ready) if held else 0)
            for (backlog, halted, held), rest in zip(rows, resting, strict=True)
        ]


def _resting(
    marks: dict[bytes, bytes], held: list[tuple[bytes, float]], count: bytes | None
) -> Resting:
    return Resting(
        {what.decode(): _mark.decode(mark) for what, mark in marks.items()},
        {address.decode(): int(since) for address, since in held},
        int(count or 0),
    )
