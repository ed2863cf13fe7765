"""The replay check: does all that is stored still fit the code that is about to be deployed?

Every entity is folded from its log, every unfinished saga as well, and every message under way is
read. Nothing is written, and nobody has to wait meanwhile.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from wherry.deploying.breaks import Break, Breaks
from wherry.deploying.entity_check import check_entity
from wherry.deploying.message_check import check_message
from wherry.deploying.placement_check import misplaced
from wherry.deploying.saga_check import UNFINISHED, SagaCheck
from wherry.deploying.stock import History, Place, Stock
from wherry.engine.registry import Registry
from wherry.store.client import Store

__all__ = ["Break", "Progress", "Replayed", "replay"]

#: Told how many of how many entities have been looked at.
Progress = Callable[[int, int], None]

_Check = Callable[[History], tuple[Break | None, bool]]
_STEP = 500


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was looked at; what breaks; what has to be written anew after the deployment.

    `stale` are addresses whose stored state or pools differ from what the new code folds.
    """

    entities: int = 0
    sagas: int = 0
    messages: int = 0
    breaks: tuple[Break, ...] = ()
    stale: tuple[str, ...] = ()


def replay(
    store: Store, registry: Registry, *, since_ms: int = 0, progress: Progress | None = None
) -> Replayed:
    """Read every entity, unfinished saga and message under way with the code of `registry`.

    `since_ms`: only entities and sagas that changed then or later; messages always.
    """
    run = _Run(Stock(store), registry, since_ms, progress or _silent)
    return run.replayed()


def _silent(_: int, __: int) -> None:
    """Nobody wants to know."""


@dataclass(slots=True)
class _Run:
    """One replay."""

    stock: Stock
    registry: Registry
    since_ms: int
    progress: Progress
    breaks: Breaks = field(default_factory=Breaks)
    stale: dict[str, None] = field(default_factory=dict)
    done: int = 0
    total: int = 0

    def replayed(self) -> Replayed:
        there = self.stock.kinds()
        sagas = {kind: at for kind, at in there.items() if kind.startswith("saga.")}
        entities = {kind: at for kind, at in there.items() if kind not in sagas}
        self.total = sum(self.stock.count(*pair) for pair in entities.items())
        self.total += sum(
            self.stock.count(*p, status) for p in sagas.items() for status in UNFINISHED
        )
        for kind, partitions in entities.items():
            self._entities(kind, partitions)
        looked_at = self.done
        for kind, partitions in sagas.items():
            for status in UNFINISHED:
                self._sagas(kind, partitions, status)
        self.progress(self.total, self.total)
        return Replayed(
            looked_at, self.done - looked_at, self._messages(), self.breaks.all(), tuple(self.stale)
        )

    def _entities(self, kind: str, partitions: list[int]) -> None:
        spec = self.registry.kinds.get(kind)
        if spec is None:
            self._removed("kind-removed", kind, self.stock.places(kind, partitions))
            return
        places = self.stock.places(kind, partitions, since_ms=self.since_ms)
        self._check(places, lambda history: check_entity(spec, history))

    def _sagas(self, kind: str, partitions: list[int], status: str) -> None:
        if kind not in self.registry.kinds:
            self._removed("saga-removed", kind, self.stock.places(kind, partitions, status))
            return
        places = self.stock.places(kind, partitions, status, self.since_ms)
        self._check(places, SagaCheck(self.registry, kind).check)

    def _removed(self, code: str, kind: str, places: Iterable[Place]) -> None:
        next_ = (
            f"deploy the bundle of {kind} as well: what is stored of it cannot live without code"
        )
        if code == "saga-removed":
            next_ = f"keep {kind} until these sagas have ended, or cancel them"
        for place in places:
            said = f"the new code has no {kind}"
            self.breaks.add(Break(code, place.address, 0, kind, said, next_))
            self._count()

    def _check(self, places: Iterable[Place], check: _Check) -> None:
        for history in self.stock.histories(places):
            broken, stale = _damaged(history) or misplaced(self.registry, history.place), False
            if broken is None:
                broken, stale = check(history)
            if broken is not None:
                self.breaks.add(broken)
            elif stale:
                self.stale[history.place.address] = None
            self._count()

    def _messages(self) -> int:
        count = 0
        for message in self.stock.messages(self.registry.partitions):
            count += 1
            if broken := check_message(self.registry, message):
                self.breaks.add(broken)
        return count

    def _count(self) -> None:
        self.done += 1
        if self.done % _STEP == 0:
            self.progress(min(self.done, self.total), self.total)


def _damaged(history: History) -> Break | None:
    address = history.place.address
    if not history.fault:
        return None
    said, kind = f"it cannot be read: {history.fault}", history.place.kind
    return Break("entity-damaged", address, 0, kind, said, f"wherry fsck {address}")
