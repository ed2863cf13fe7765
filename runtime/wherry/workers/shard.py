"""A shard: one partition as a pump sees it - its cursor, and the entities that it remembers.

What is remembered is valid only along the pump's own chain of commits: it goes when one is refused.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from wherry.engine.changes import Changes, Entry, stream_id
from wherry.engine.holding import Holding
from wherry.engine.meters import Meters
from wherry.engine.record import Record
from wherry.engine.registry import Registry
from wherry.engine.supervision import Attention
from wherry.engine.turn import Turn
from wherry.store.client import Committed, Store
from wherry.store.pauses import PauseStore

_attention = msgspec.json.Decoder(Attention)

#: How many entities a pump remembers in each partition; about 1 KiB each beside their state.
REMEMBERED = 25_000
#: So many entities go on in one turn at most, and so many of the messages held back for them.
RELEASED, MESSAGES = 32, 256


@dataclass
class Shard:
    """One partition of one pump. `cursor` is empty until it is known."""

    store: Store
    registry: Registry
    number: int
    code: str = ""
    cursor: str = ""
    barrier: str = "0-0"
    next_due: int | None = None
    epoch: int = 0
    #: It takes no turns, by order of an operator.
    halted: bool = False
    holding: Holding = field(default_factory=Holding)
    refusals: int = 0
    #: What supervision remembers of entities; as valid as the records are.
    _attention: dict[str, Attention] = field(default_factory=dict)
    _records: OrderedDict[str, Record] = field(default_factory=OrderedDict)
    _distrusted: dict[str, str] = field(default_factory=dict)

    def find(self) -> None:
        """Learn where the partition stands."""
        found = PauseStore(self.store).standing(self.number)
        self.cursor, self.barrier = found.cursor, found.barrier
        self.epoch, self.halted, self.holding = found.epoch, found.halted, found.holding
        self._attention = {a: _attention.decode(kept) for a, kept in found.attention.items()}

    def forget(self) -> None:
        """Trust nothing that is remembered."""
        self._records.clear()
        self.cursor = ""

    def open(self, entries: Sequence[Entry], now_ms: int) -> tuple[Turn, list[str]]:
        """Start a turn. Returns it, and the addresses that have to be known before it goes on.

        Those that are placed with one of them come along: each alone would be a round trip later.
        """
        turn = Turn(
            self.registry,
            Changes(self.number, self.cursor, now_ms, code=self.code, epoch=self.epoch),
            self._load, self._reload, self.code, stream_id(self.barrier), self._attention,
            Meters(time.perf_counter_ns), self.holding,
        )  # fmt: skip
        if self.holding.ready:
            chosen = list(islice(self.holding.ready, RELEASED))
            most = MESSAGES // len(chosen)
            turn.release(chosen, PauseStore(self.store).held(self.number, chosen, most))
        wanted = [address for address in turn.take(entries) if address not in self._records]
        near = [other for address in wanted for other in self.registry.neighbours(address)]
        return turn, [*wanted, *(other for other in near if other not in self._records)]

    def learn(self, records: dict[str, Record]) -> None:
        """Remember entities as they are stored now."""
        for address, why in self._distrusted.items():
            if address in records:
                records[address].fault = why
        self._records.update(records)

    def distrust(self, entity: str, why: str) -> None:
        """Let messages to an entity become dead letters: its commits are refused for good."""
        self._distrusted[entity] = why

    def settle(self, changes: Changes, stored: Committed) -> None:
        """Go on from a turn that is stored."""
        self.refusals = 0
        self.cursor = changes.upto or self.cursor
        self.barrier = stored.barrier or self.barrier
        self.epoch += 1 if changes.released else 0
        self.next_due = stored.next_due
        while len(self._records) > REMEMBERED:
            self._records.popitem(last=False)

    def _reload(self, address: str) -> Record:
        self._distrusted.pop(address, None)
        return self.store.rebuild(self.registry, address)

    def _load(self, addresses: Sequence[str]) -> dict[str, Record]:
        records = self._records
        missing = [address for address in addresses if address not in records]
        if missing:
            self.learn(self.store.load(self.registry, missing))
        for address in addresses:
            records.move_to_end(address)
        return {address: records[address] for address in addresses}
