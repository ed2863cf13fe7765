"""The door to one target: its breaker, as one runner sees it.

Whoever wants to call waits at the door. All who come while the breaker is being asked are in the
next question, so there is one at a time, and it carries the outcomes since the last one.

A breaker that is closed says nothing of a target that has just gone down. So the door lets only
so many in as may fail before it opens, until there is news of one of them, or a short while has
passed: a target that fails at once gets few calls, one that is slow is not kept waiting.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from wherry.engine.specs import TargetSpec
from wherry.store.calls import Asking
from wherry.store.effects import Permission

log = logging.getLogger(__name__)

#: How long calls wait for news of those before them: so many looks, each after a while. (One long
#: while would be over at once when our own loop was busy with something else.)
LOOKS = 8
LOOK_S = 0.05
#: Calls that a half-open breaker does not let in ask again after this long, ms.
PATIENCE_MS = 500
#: A probe of which nothing was heard loses its place this long after its time limit, ms.
MARGIN_MS = 1_000

Ask = Callable[[str, Asking], Awaitable[Permission]]


class Shut(Exception):
    """The call may not be made now; ask again at `until_ms`."""

    def __init__(self, until_ms: int) -> None:
        super().__init__(f"shut until {until_ms}")
        self.until_ms = until_ms


_Waiting = deque["asyncio.Future[None]"]


@dataclass
class Door:
    """Lets calls to one target in. `now_ms` is the server's time."""

    target: TargetSpec
    ask: Ask
    now_ms: Callable[[], int]
    state: str = "closed"
    _failures: int = 0
    _until_ms: int = 0
    _well: int = 0
    _badly: int = 0
    #: Calls that were let in since there was good news of one.
    _unproven: int = 0
    _asking: _Waiting = field(default_factory=deque)
    _careful: _Waiting = field(default_factory=deque)
    _talk: "asyncio.Task[None] | None" = None
    _alarm: asyncio.TimerHandle | None = None
    _looked: int = 0

    async def enter(self) -> None:
        """Wait until a call may be made. Raises Shut when it may not."""
        if self._is_shut():
            raise Shut(self._until_ms)
        may: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asking.append(may)
        self._stir()
        await may

    def left(self, *, well: bool) -> None:
        """A call that was let in has ended. `well`: the target answered."""
        if self._is_shut():
            return  # it is about the time before
        if well:
            self._well += 1
            self._unproven = self._failures = 0
            self._admit()
        else:
            self._badly += 1
            self._failures += 1
            self._unproven = max(0, self._unproven - 1)
        if not well or self.state != "closed":
            self._stir()

    def gave_up(self) -> None:
        """A call that was let in has ended, and nobody knows how."""
        self._unproven = max(0, self._unproven - 1)
        self._admit()

    def _is_shut(self) -> bool:
        return self.state == "open" and self.now_ms() < self._until_ms

    async def close(self) -> None:
        """Say what is left to be said."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self._talk is not None:
            await asyncio.wait([self._talk], timeout=1)

    # -- asking ----------------------------------------------------------------------------------

    def _stir(self) -> None:
        if self._talk is None or self._talk.done():
            self._talk = asyncio.create_task(self._ask_while_needed())

    async def _ask_while_needed(self) -> None:
        while self._asking or self._badly or (self._well and self.state != "closed"):
            try:
                await self._ask_once()
            except Exception as error:  # noqa: BLE001 - who waits would wait for ever
                # The outcomes wait for the next question.
                log.warning("the breaker of %s cannot be asked: %s", self.target.name, error)
                await asyncio.sleep(0.5)

    async def _ask_once(self) -> None:
        well, badly, wanted = self._well, self._badly, len(self._asking)
        asking = question(self.target, wanted=wanted, well=well, badly=badly)
        said = await self.ask(self.target.name, asking)
        self._well -= well
        self._badly -= badly
        self._learn(said, wanted)

    def _learn(self, said: Permission, wanted: int) -> None:
        if said.state != self.state:
            log.info("%s: the breaker is %s", self.target.name, said.state)
        self.state, self._failures = said.state, said.failures + self._badly
        self._until_ms = said.retry_at_ms or 0
        asked = [self._asking.popleft() for _ in range(wanted)]
        waiting = [may for may in asked if not may.done()]
        for may in waiting[said.granted :]:
            may.set_exception(Shut(self._again_ms()))
        self._careful.extend(waiting[: said.granted])
        if self.state == "open":
            self._unproven = 0
            self._turn_away()
        self._admit(all_of_them=self.state == "half-open")

    def _again_ms(self) -> int:
        """When those who were not let in should ask again. A probe may be back any moment."""
        if self.state == "open":
            return self._until_ms
        return min(self._until_ms, self.now_ms() + PATIENCE_MS)

    # -- letting in ------------------------------------------------------------------------------

    def _admit(self, *, all_of_them: bool = False) -> None:
        """Let in as many of those who have permission as caution allows."""
        room = self.target.breaker.failures - self._failures - self._unproven
        while self._careful and (all_of_them or room > 0):
            may = self._careful.popleft()
            if not may.done():
                may.set_result(None)
                self._unproven += 1
                room -= 1
                self._looked = 0
        self._watch_clock()

    def _watch_clock(self) -> None:
        if self._careful and self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _look(self) -> None:
        """Nothing was heard for a while, neither good nor bad."""
        self._alarm = None
        self._looked += 1
        bad_news = self._failures >= self.target.breaker.failures  # and the breaker is being told
        if self._looked < LOOKS or bad_news:
            self._watch_clock()
        else:
            self._admit(all_of_them=True)

    def _turn_away(self) -> None:
        """The breaker opened while they waited."""
        while self._careful:
            may = self._careful.popleft()
            if not may.done():
                may.set_exception(Shut(self._until_ms))


def question(target: TargetSpec, *, wanted: int, well: int, badly: int) -> Asking:
    """What is said to the breaker of a target; a probe may take as long as its slowest call."""
    breaker = target.breaker
    longest = max(spec.rule.timeout.total_seconds() for spec in target.effects.values())
    return Asking(
        wanted, well, badly, breaker.failures, round(breaker.reset.total_seconds() * 1000),
        breaker.probes, round(longest * 1000) + MARGIN_MS,
    )  # fmt: skip
