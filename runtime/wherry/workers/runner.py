"""The effect runner: carries out the calls to the outside world that are due, many at once.

Life of a runner: listen for new calls; take those that are due, with a lease; carry each out as a
task of its own; settle it. A call whose lease is lost is dropped; one whose runner is lost is due
again when the lease ends, and then it may have been done. It leaves when there is nothing to do.
"""

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from wherry.engine.registry import Registry
from wherry.engine.specs import TargetSpec
from wherry.errors import Unreachable
from wherry.store.calls import Settling
from wherry.store.effects import TakenCall
from wherry.store.keys import Keys
from wherry.store.link import Link
from wherry.workers.attempts import (
    Next,
    Parked,
    Repeat,
    given_up,
    held_back,
    how_to_begin,
    interrupted,
    left_to_a_person,
    what_follows,
)
from wherry.workers.door import Door, Shut
from wherry.workers.held import Held, Unusable, hold, parking, putting_back, settling
from wherry.workers.ledger import Ledger
from wherry.workers.options import RunnerOptions
from wherry.workers.performing import InRunner, attempt, is_well

log = logging.getLogger(__name__)

#: How long an attempt that was cut off, or has just ended, may take to be settled at the end.
_LAST_WORDS_S = 0.6
#: How often RQ is told that the job goes on, and whether others should help.
_REPORT_S = 5.0


@dataclass
class Hands:
    """What a runner has others do.

    stopping   whether it has to end
    wake_pump  starts a pump
    isolate    gives a call to a process of its own
    recall     takes back a call that no process has begun; whether it could
    busy       called now and then when there is more to do than the runner can
    alive      called now and then
    outdated   whether other code than ours is deployed

    All but the first may block: they are called in threads.
    """

    stopping: Callable[[], bool] = lambda: False
    wake_pump: Callable[[], None] = lambda: None
    isolate: Callable[[Held], None] = lambda _: None
    recall: Callable[[str, int], bool] = lambda _id, _n: False
    busy: Callable[[], None] = lambda: None
    alive: Callable[[], None] = lambda: None
    outdated: Callable[[], bool] = lambda: False


@dataclass
class Runner:
    """One runner. `handled` counts the attempts that it settled."""

    url: str
    keys: Keys
    registry: Registry
    options: RunnerOptions = field(default_factory=RunnerOptions)
    hands: Hands = field(default_factory=Hands)
    code: str = ""
    handled: int = 0
    #: Other code was deployed: what runs is finished, nothing new is taken.
    outdated: bool = False
    _running: "dict[asyncio.Task[None], _Mine]" = field(default_factory=dict)
    _doors: dict[str, Door] = field(default_factory=dict)
    #: When the next call of a partition may be taken, ms; one that is not here has none.
    _dues: dict[int, int] = field(default_factory=dict)
    #: Partitions that have new calls, as we heard since we last looked.
    _heard: set[int] = field(default_factory=set)
    _active_at: float = 0.0
    _beat_at: float = 0.0

    async def run(self) -> None:
        """Run until there is a reason to end."""
        self._link = Link(self.url, self.keys.namespace)
        self._ledger = Ledger(self._link, self.keys)
        self._performer = InRunner(self.options.concurrency, self.options.threads)
        self._stir = asyncio.Event()
        self._active_at = time.monotonic()
        await asyncio.to_thread(self._performer.prepare, self.registry.targets.values())
        listening = asyncio.create_task(self._listen())
        beside = [asyncio.create_task(w) for w in (self._renew(), self._watch(), self._report())]
        try:
            while not self.hands.stopping():
                if await self._safely(self._round()) and self._idle():
                    break
                if self.outdated and not self._running:
                    break
                await self._rest()
        finally:
            await _end([listening])  # nobody may think that we still take calls
            await self._finish()
            await _end(beside)
            await self._performer.close()
            await self._link.close()

    # -- one round -------------------------------------------------------------------------------

    async def _safely(self, work: Awaitable[object]) -> bool:
        """Whether it went well. An outage of Redis is waited out, and so is everything else."""
        try:
            await work
        except Unreachable as error:
            log.warning("the runner waits for Redis: %s", error)
            await asyncio.sleep(0.2)
        except Exception:
            # The calls stay where they are. Were we to end, another runner would fail like us.
            log.exception("the runner tries again")
            await asyncio.sleep(1)
        else:
            return True
        return False

    async def _round(self) -> None:
        if time.monotonic() >= self._beat_at:
            await self._look()
        if self.outdated:
            return
        now = await self._ledger.clock.now_ms()
        due = [number for number, at in self._dues.items() if at <= now]
        free = self.options.concurrency - len(self._running)
        if not due or free <= 0:
            return
        random.shuffle(due)
        self._heard.difference_update(due)
        taken = await self._ledger.take(due, free, _ms(self.options.lease))
        for number, found in taken.items():
            self._remember(number, found.next_due)
            self._begin(number, found.calls)

    async def _look(self) -> None:
        """The net beneath the channel: look at all partitions."""
        self._heard.clear()
        dues = await self._ledger.look(self.registry.partitions)
        self._beat_at = time.monotonic() + self.options.beat
        for number, due in enumerate(dues):
            self._remember(number, due)

    def _remember(self, partition: int, due: int | None) -> None:
        if partition in self._heard:
            return  # what we were told since is newer
        if due is None:
            self._dues.pop(partition, None)
        else:
            self._dues[partition] = due

    async def _rest(self) -> None:
        """Wait for the next beat, for a call that is due, or until somebody stirs us."""
        now_ms = self._ledger.clock.reading_ms()
        patience = self._beat_at - time.monotonic()
        if self._dues and len(self._running) < self.options.concurrency:
            patience = min(patience, (min(self._dues.values()) - now_ms) / 1000)
        try:
            async with asyncio.timeout(max(patience, 0)):
                await self._stir.wait()
        except TimeoutError:
            pass
        self._stir.clear()

    def _idle(self) -> bool:
        if self._running:
            self._active_at = time.monotonic()
        if time.monotonic() < self._active_at + self.options.linger:
            return False
        soon = self._ledger.clock.reading_ms() + _ms(self.options.ahead)
        return all(due > soon for due in self._dues.values())

    # -- calls -----------------------------------------------------------------------------------

    def _begin(self, partition: int, calls: Iterable[TakenCall]) -> None:
        for call in calls:
            self._active_at = time.monotonic()
            mine = _Mine(partition, call.id, call.n)
            task = asyncio.create_task(self._carry_out(call, mine))
            self._running[task] = mine
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        mine = self._running.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("call %s could not be settled: its lease will end", mine.id, exc_info=error)
        if self.outdated or len(self._running) == self.options.concurrency - 1:
            self._stir.set()

    async def _carry_out(self, call: TakenCall, mine: "_Mine") -> None:
        """Make one attempt at a call, and settle it, whatever comes of it."""
        held = hold(self.registry, mine.partition, call, self._now_ms())
        if isinstance(held, Unusable):
            if await self._is_outdated():
                await self._store(putting_back(held, self._now_ms()), mine)
                return
            log.error("call %s is parked: %s", held.id, held.why)
            await self._store(parking(held, self._now_ms()), mine)
            return
        try:
            then, took_us = await self._attempt(held, mine)
        except asyncio.CancelledError:
            if mine.is_lost or mine.is_handed_on:
                return
            then, took_us = self._cut_off(held, mine), None
        if then is not None:
            await self._store(settling(held, then, self._now_ms(), took_us, self.code), mine)

    def _cut_off(self, held: Held, mine: "_Mine") -> Next:
        """We have to end before the attempt has."""
        now = self._now_ms()
        return interrupted(held.case, now) if mine.is_begun else held_back(held.case, now)

    async def _attempt(self, held: Held, mine: "_Mine") -> tuple[Next | None, int | None]:
        """What follows from the attempt, and how long it took; None when others settle it."""
        if held.lost and held.spec.rule.isolate and await self._recall(held):
            return held_back(held.before, self._now_ms()), None
        begin = how_to_begin(held.case, self._now_ms())
        if begin == "park":
            return Parked(left_to_a_person(held.case.note)), None
        if begin == "stop":
            return given_up(held.case), None
        door = self._door(held.target)
        try:
            await door.enter()
        except Shut as shut:
            return _later(held, shut.until_ms), None
        if held.spec.rule.isolate:
            door.gave_up()  # the process that carries it out tells the breaker
            return await self._hand_on(held, mine), None
        return await self._try(held, mine, door, ask=begin == "ask")

    async def _try(
        self, held: Held, mine: "_Mine", door: Door, *, ask: bool
    ) -> tuple[Next, int | None]:
        mine.is_begun = True
        began = time.monotonic()
        try:
            came = await attempt(self._performer, held, self._now_ms, ask=ask)
        except asyncio.CancelledError:
            door.gave_up()
            raise
        door.left(well=is_well(came))
        took_us = round((time.monotonic() - began) * 1_000_000)
        return what_follows(came, held.case, self._now_ms(), random.random()), took_us  # noqa: S311

    # -- calls that get a process of their own ---------------------------------------------------

    async def _hand_on(self, held: Held, mine: "_Mine") -> Next | None:
        """Give a call away; who has it settles it."""
        mine.is_handed_on = True
        try:
            await asyncio.to_thread(self.hands.isolate, held)
        except Unreachable as error:
            log.warning("call %s waits for a process of its own: %s", held.id, error)
            return held_back(held.case, self._now_ms() + 1_000)
        return None

    async def _recall(self, held: Held) -> bool:
        """Whether a call whose lease has ended still waited for its process."""
        try:
            return await asyncio.to_thread(self.hands.recall, held.id, held.n - 1)
        except Unreachable:
            return False

    def _door(self, target: TargetSpec) -> Door:
        if target.name not in self._doors:
            self._doors[target.name] = Door(target, self._ledger.ask_breaker, self._now_ms)
        return self._doors[target.name]

    async def _store(self, settled: Settling, mine: "_Mine") -> None:
        """Settle, and start a pump for the answer if none is alive."""
        mine.is_settling = True
        wake = await self._settle(settled)
        self.handled += 1
        self._expect(settled)
        if wake is None:
            log.warning("call %s had been settled, or taken by another runner", settled.id)
        if wake is None or wake:  # the yes to a settlement may have been lost, and its wish with it
            await self._safely(asyncio.to_thread(self.hands.wake_pump))

    async def _settle(self, settled: Settling) -> bool | None:
        """An outage is waited out, since what was done outside cannot be undone."""
        pause = 0.05
        while True:
            try:
                return await self._ledger.settle(settled)
            except Unreachable as error:
                log.warning("call %s waits to be settled: %s", settled.id, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)

    def _expect(self, settled: Settling) -> None:
        """A call that is made again is due at a time that we know."""
        due = getattr(settled.how, "due_ms", None)
        if due is not None and due < self._dues.get(settled.partition, due + 1):
            self._dues[settled.partition] = due
            self._stir.set()

    def _now_ms(self) -> int:
        return self._ledger.clock.reading_ms()

    # -- beside the rounds -----------------------------------------------------------------------

    async def _listen(self) -> None:
        """Hear of new calls as they are stored."""
        while True:
            try:
                async with self._link.replies(self.keys.effects_channel) as told:
                    self._beat_at = 0.0  # what came before we listened
                    self._stir.set()
                    async for partition in told:
                        self._hear(partition)
            except Unreachable as error:
                log.warning("the runner does not hear of new calls: %s", error)
                await asyncio.sleep(0.5)

    def _hear(self, said: bytes) -> None:
        if said.isdigit() and int(said) < self.registry.partitions:
            self._dues[int(said)] = 0
            self._heard.add(int(said))
            self._stir.set()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self.options.renew)
            await self._safely(self._renew_once())

    async def _renew_once(self) -> None:
        """Keep the calls that run, and drop those that are not ours any more."""
        held = defaultdict(list)
        for mine in self._running.values():
            if not mine.is_handed_on:
                held[mine.partition].append((mine.id, mine.n))
        lost = set(await self._ledger.renew(held, _ms(self.options.lease)))
        for task, mine in list(self._running.items()):
            if mine.id in lost and (mine.id, mine.n) in held[mine.partition]:
                log.warning("call %s is dropped: its lease was lost", mine.id)
                mine.is_lost = True
                _cancel(task, mine)

    async def _watch(self) -> None:
        """A signal does not wake a loop that waits."""
        while not self.hands.stopping():  # noqa: ASYNC110 - it is set by a signal handler
            await asyncio.sleep(0.1)
        self._stir.set()

    async def _report(self) -> None:
        """Tell RQ what it cannot know while the job runs: we are alive; we need help."""
        while True:
            await asyncio.sleep(_REPORT_S)
            await self._safely(asyncio.to_thread(self.hands.alive))
            await self._safely(self._is_outdated())
            if len(self._running) >= self.options.concurrency:
                await self._safely(asyncio.to_thread(self.hands.busy))

    async def _is_outdated(self) -> bool:
        self.outdated = self.outdated or await asyncio.to_thread(self.hands.outdated)
        return self.outdated

    # -- ending ----------------------------------------------------------------------------------

    async def _finish(self) -> None:
        """Let calls end by themselves for a while; the others go on in another runner at once."""
        if self._running:
            await asyncio.wait(self._running, timeout=self.options.grace)
        for task, mine in self._running.items():
            _cancel(task, mine)
        if self._running:
            await asyncio.wait(self._running, timeout=_LAST_WORDS_S)
        for door in self._doors.values():
            await door.close()
        await _end(self._running)  # Redis is away: their leases will end


@dataclass(slots=True)
class _Mine:
    """A call that this runner has in its hands."""

    partition: int
    id: str
    n: int
    is_begun: bool = False
    is_settling: bool = False
    is_handed_on: bool = False
    is_lost: bool = False


def _cancel(task: "asyncio.Task[None]", mine: _Mine) -> None:
    """End an attempt; one whose outcome is known is let to tell it."""
    if not mine.is_settling:
        task.cancel()


def _later(held: Held, until_ms: int) -> Repeat:
    """When the breaker may let it in; not all at once."""
    spread = max(100, _ms(held.target.breaker.reset.total_seconds()) // 10)
    return held_back(held.case, until_ms + random.randrange(spread))  # noqa: S311


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


async def _end(tasks: Iterable["asyncio.Task[None]"]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
