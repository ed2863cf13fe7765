"""Pauses: an entity, a kind or everything rests, while its commands are still accepted."""

from collections.abc import Iterable, Sequence

from wherry.engine.registry import Registry, split_address
from wherry.errors import Fault, Invalid, NotFound
from wherry.gateway import shapes
from wherry.gateway.sending import Sender
from wherry.gateway.shapes import Json
from wherry.store.client import reaching
from wherry.store.pauses import SENDING, TURNS, Mark, PauseStore, Resting
from wherry.wiring import Runtime
from wherry.workers.outside import ensure_runner
from wherry.workers.queue import open_queue
from wherry.workers.roles import EFFECTS

#: A reason is a sentence.
_LONGEST = 1_000
EVERYTHING = "*"


class Pauses:
    """What is paused in a namespace. `*` is everything."""

    def __init__(self, runtime: Runtime, sender: Sender) -> None:
        self._runtime = runtime
        self._sender = sender
        self._store = PauseStore(runtime.store)

    def pause(self, what: str, *, by: str = "", reason: str = "", refuse: bool = False) -> Json:
        """Let something rest; what rests already stays as it is.

        With `refuse` no command is accepted any more, and what has been accepted goes on.
        Raises NotFound, Invalid.
        """
        what = name_of(self._runtime.registry, what)
        if refuse and what != EVERYTHING:
            raise Invalid(
                "pause", [Fault("/refuse", "only all commands can be refused: what is *")]
            )
        mark = Mark(self._runtime.store.now_ms(), by, _sentence(reason))
        name = SENDING if refuse else what
        self._store.mark(self._partitions_of(what), name, mark)
        return next(row for row in self._rows(self._resting()) if _name_of_row(row) == name)

    def resume(self, what: str) -> Json:
        """Let something go on. Raises NotFound when it does not rest."""
        what = name_of(self._runtime.registry, what)
        names = (TURNS, SENDING) if what == EVERYTHING else (what,)
        numbers = self._partitions_of(what)
        before = [mark for name in names for mark in self._store.mark(numbers, name, None)]
        if not any(before):
            raise NotFound(f"{what} is not paused; `wherry paused` lists what is")
        self._go_on()
        return {"what": what, "status": "resumed"}

    def listed(self) -> Json:
        """What rests, the newest first; then what goes on, and has not caught up yet."""
        rows = self._rows(self._resting())
        rows.sort(key=lambda row: (row["status"] == "paused", str(row["since"])), reverse=True)
        return {"items": rows}

    def _go_on(self) -> None:
        """A pump that lives finds out by itself; a runner has ended if it had nothing to do."""
        runtime = self._runtime
        self._sender.nudge()
        if runtime.registry.targets:
            effects = open_queue(runtime.redis, runtime.namespace, EFFECTS)
            ensure_runner(runtime.store, runtime.registry, effects)

    def _partitions_of(self, what: str) -> Sequence[int]:
        registry = self._runtime.registry
        return [registry.partition_of(what)] if "/" in what else range(registry.partitions)

    def _resting(self) -> list[Resting]:
        return self._store.resting(self._runtime.registry.partitions)

    def _rows(self, resting: list[Resting]) -> list[Json]:
        marks: dict[str, Mark] = {}
        for one in resting:
            marks |= {name: mark for name, mark in one.marks.items() if name not in marks}
        counts = self._counts(resting)
        rows = [_row(name, mark, _held(name, counts)) for name, mark in marks.items()]
        if TURNS in marks:
            waiting = sum(self._runtime.store.backlog(self._runtime.registry.partitions))
            rows = [row | {"held": waiting} if _name_of_row(row) == TURNS else row for row in rows]
        return [*rows, *self._catching_up(resting, counts)]

    def _counts(self, resting: list[Resting]) -> dict[str, int]:
        """How many messages are held back for each entity."""
        keys = self._runtime.store.keys
        addresses = [(n, address) for n, one in enumerate(resting) for address in one.held]
        with reaching():
            pipe = self._runtime.redis.pipeline(transaction=False)
            for number, address in addresses:
                pipe.llen(keys.partition(number).held_for(*split_address(address)))
            return dict(zip((a for _, a in addresses), pipe.execute(), strict=True))

    def _catching_up(self, resting: list[Resting], counts: dict[str, int]) -> Iterable[Json]:
        for one in resting:
            for address in one.holding.ready:
                since = shapes.instant(one.held[address])
                yield {
                    "what": address, "status": "resuming", "refuse": False, "since": since,
                    "by": "", "reason": "", "held": counts[address],
                }  # fmt: skip


def name_of(registry: Registry, what: str) -> str:
    """`*`, a kind, or an address; a saga's by its kind or by its name. Raises NotFound."""
    if what == EVERYTHING:
        return what
    kind, slash, key = what.partition("/")
    if kind not in registry.kinds and kind in registry.app.sagas:
        kind = registry.app.sagas[kind].kind
    registry.kind(kind)
    if not slash:
        return kind
    split_address(f"{kind}/{key}")
    return f"{kind}/{key}"


def _sentence(reason: str) -> str:
    if len(reason) > _LONGEST:
        raise Invalid("pause", [Fault("/reason", f"is longer than {_LONGEST} characters")])
    try:
        reason.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair cannot be stored
        raise Invalid("pause", [Fault("/reason", str(error))]) from None
    return reason


def _row(name: str, mark: Mark, held: int) -> Json:
    return {
        "what": EVERYTHING if name == SENDING else name,
        "status": "paused",
        "refuse": name == SENDING,
        "since": shapes.instant(mark.since),
        "by": mark.by,
        "reason": mark.reason,
        "held": held,
    }


def _name_of_row(row: Json) -> str:
    return SENDING if row["refuse"] else str(row["what"])


def _held(name: str, counts: dict[str, int]) -> int:
    return sum(n for address, n in counts.items() if name in {address, address.partition("/")[0]})
