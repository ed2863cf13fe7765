"""The pump: takes turns for its share of the partitions until they have been idle for a while.

Life of a pump: join the others, share the partitions with them by rendezvous hashing, then again
and again read what waits, compute turns, commit them, fire timers; leave when idle, when told to
stop, or after its time. Two pumps on one partition are harmless: the cursor is the fence.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from wherry.engine.changes import Changes, Entry
from wherry.engine.registry import Registry
from wherry.engine.turn import Turn
from wherry.errors import Unreachable
from wherry.store.client import Committed, Refused, Store
from wherry.workers.clock import ServerClock
from wherry.workers.shard import Shard
from wherry.workers.spans import TurnSpans

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PumpOptions:
    """How a pump behaves. Times are in seconds.

    batch     entries read from each partition for one turn
    beat      how often it says that it is alive
    lease     how long the others believe it; a killed pump's partitions wait this long
    linger    how long it stays when there is nothing to do
    term      how long it runs before another one takes over
    result_ttl  how long results are kept
    """

    batch: int = 256
    beat: float = 1.0
    lease: float = 4.0
    linger: float = 5.0
    term: float = 60.0
    result_ttl: float = 86_400.0


@dataclass
class Pump:
    """One pump.

    `stopping` is asked before each turn; `busy` is called at each beat with work; `call_runner`
    when there are calls to the outside world and no runner heard of them.
    """

    store: Store
    registry: Registry
    name: str
    options: PumpOptions = PumpOptions()
    stopping: Callable[[], bool] = lambda: False
    busy: Callable[[list[str]], None] = lambda _: None
    code: str = ""
    call_runner: Callable[[], None] = lambda: None
    #: Other code than ours was deployed: whatever we compute would be refused.
    outdated: bool = False
    turns: int = 0
    handled: int = 0
    _shards: dict[int, Shard] = field(default_factory=dict)
    _own: list[Shard] = field(default_factory=list)
    _beat_at: float = 0.0
    _active_at: float = 0.0
    _worked: bool = False
    _alone: bool = True

    def run(self) -> None:
        """Pump until there is a reason to end, then leave the others."""
        self._clock = ServerClock(self.store)
        self._active_at = time.monotonic()
        term_ends = self._active_at + self.options.term
        try:
            while not (self.stopping() or self.outdated):
                self._round_safely()
                if self._idle() or time.monotonic() >= term_ends:
                    break
        finally:
            self._leave()

    # -- one round -------------------------------------------------------------------------------

    def _round_safely(self) -> None:
        try:
            self._round()
        except Unreachable as error:
            log.warning("pump %s waits for Redis: %s", self.name, error)
            self._forget()
            time.sleep(0.2)
        except Exception:
            # The messages stay where they are. Were we to end, another pump would fail like us.
            log.exception("pump %s tries again", self.name)
            self._forget()
            time.sleep(1)

    def _round(self) -> None:
        if time.monotonic() >= self._beat_at:
            self._say_alive()
            if self.outdated:
                return
        for shard in self._own:
            if not shard.cursor:
                shard.find()
        self._fire(self._clock.now_ms())
        found = self._read()
        if found:
            self._worked = True
            self._take_turns(found)
            self._active_at = time.monotonic()

    def _take_turns(self, found: dict[int, list[Entry]]) -> None:
        """Compute the turns of all partitions that have something; each is stored meanwhile."""
        turns = self._open_turns(found)
        ttl = round(self.options.result_ttl * 1000)
        spans = [TurnSpans(turn) for _, turn in turns]
        outcomes = self.store.commit_each((span.process() for span in spans), result_ttl_ms=ttl)
        for (shard, turn), span, outcome in zip(turns, spans, outcomes, strict=True):
            span.stored(outcome)
            self._settle(shard, turn.changes, outcome)

    def _open_turns(self, found: dict[int, list[Entry]]) -> list[tuple[Shard, Turn]]:
        """Start the turns, and load the entities that all of them need in one round trip."""
        now = self._clock.now_ms()
        turns: list[tuple[Shard, Turn]] = []
        missing: list[str] = []
        for number, entries in found.items():
            shard = self._shards[number]
            turn, needed = shard.open(entries, now)
            turns.append((shard, turn))
            missing += needed
        loaded = self.store.load(self.registry, missing) if missing else {}
        for shard, _ in turns:
            shard.learn(
                {a: r for a, r in loaded.items() if self.registry.partition_of(a) == shard.number}
            )
        return turns

    def _settle(self, shard: Shard, changes: Changes, outcome: Committed | Refused) -> None:
        self.turns += 1
        if isinstance(outcome, Committed):
            shard.settle(changes, outcome)
            self.handled += changes.handled
            if outcome.listeners == 0:
                self.call_runner()
            return
        shard.forget()
        if outcome.code == "FENCED":
            # Somebody else took the turn: learn at once who is there, and whose the partition is.
            log.info("partition %s: another pump was first", shard.number)
            self._beat_at = 0.0
            return
        if outcome.code == "CODE":
            self.outdated = True
            return
        if outcome.code == "HALTED":
            return
        shard.refusals += 1
        if shard.refusals > 1:
            self._refused_again(shard, outcome)

    def _refused_again(self, shard: Shard, outcome: Refused) -> None:
        """Not a stale memory, then: an entity is damaged, or Redis has the rules of other code."""
        log.error("partition %s: refused %s times, %s", shard.number, shard.refusals, outcome)
        if outcome.code in {"VERSION", "POOL"}:
            entity, _, why = outcome.detail.partition(" ")
            shard.distrust(entity, f"its commits are refused: {outcome.code} {why}")
        else:
            time.sleep(min(0.1 * shard.refusals, 2.0))

    def _read(self) -> dict[int, list[Entry]]:
        cursors = {shard.number: shard.cursor for shard in self._own if not shard.halted}
        if not cursors:
            time.sleep(self._patience_ms() / 1000)
            return {}
        ready: dict[int, list[Entry]] = {
            number: [] for number in cursors if self._shards[number].holding.ready
        }
        patience = None if ready else self._patience_ms()
        return ready | self.store.read(cursors, count=self.options.batch, block_ms=patience)

    def _patience_ms(self) -> int:
        """How long to wait for a message: until the next beat, timer, or end of idleness."""
        now = time.monotonic()
        lingers_until = self._active_at + self._linger()
        ends = min(self._beat_at, lingers_until) if lingers_until > now else self._beat_at
        patience = max(1, round((ends - now) * 1000))
        return max(1, min([patience, *(due - self._clock.now_ms() for due in self._dues())]))

    def _dues(self) -> list[int]:
        """When the timers of our partitions are due; those of a halted one do not fire."""
        dues = [shard.next_due for shard in self._own if not shard.halted]
        return [due for due in dues if due is not None]

    def _fire(self, now: int) -> None:
        for shard in self._own:
            if not shard.halted and shard.next_due is not None and shard.next_due <= now:
                shard.next_due = self.store.fire(shard.number, now)

    # -- life ------------------------------------------------------------------------------------

    def _say_alive(self) -> None:
        self._clock.sync()
        alive = self.store.beat(
            self.name,
            self._clock.now_ms(),
            round(self.options.lease * 1000),
            self.registry.partitions,
        )
        self._beat_at = time.monotonic() + self.options.beat
        self.outdated = alive.code not in {"", self.code}
        self._share(alive.pumps)
        self._alone = alive.pumps == [self.name]
        for shard in self._own:
            shard.next_due = alive.dues[shard.number]
            if alive.epochs[shard.number] != shard.epoch:
                shard.forget()
        if self._worked:
            self._worked = False
            self.busy(alive.pumps)

    def _share(self, pumps: list[str]) -> None:
        mine = share(self.name, pumps, self.registry.partitions)
        if [shard.number for shard in self._own] == mine:
            return
        kept = {shard.number: shard for shard in self._own}
        self._own = [
            kept.get(number) or Shard(self.store, self.registry, number, self.code)
            for number in mine
        ]
        self._shards = {shard.number: shard for shard in self._own}

    def _idle(self) -> bool:
        if time.monotonic() < self._active_at + self._linger():
            return False
        soon = self._clock.now_ms() + round(self.options.linger * 1000)
        return not any(due <= soon for due in self._dues())

    def _linger(self) -> float:
        """One that seems alive may have been killed: then nobody is there until its lease ends."""
        options = self.options
        return options.linger if self._alone else max(options.linger, options.lease)

    def _forget(self) -> None:
        for shard in self._own:
            shard.forget()
        self._beat_at = 0.0

    def _leave(self) -> None:
        try:
            self.store.leave(self.name)
        except Unreachable as error:
            log.warning("pump %s could not say goodbye, its lease will end: %s", self.name, error)


def share(name: str, pumps: Iterable[str], partitions: int) -> list[int]:
    """The partitions of one pump: each goes to the pump with the highest hash for it.

    Rendezvous hashing (Thaler and Ravishankar, 1998): when a pump comes or goes, only its own
    partitions move.
    """
    everyone = sorted(set(pumps) | {name})
    return [
        n for n in range(partitions) if max(everyone, key=lambda pump: _weight(pump, n)) == name
    ]


def _weight(pump: str, partition: int) -> bytes:
    return blake2b(f"{pump}/{partition}".encode(), digest_size=8).digest()
