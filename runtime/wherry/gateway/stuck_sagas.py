"""Sagas that somebody should look at: late, on their way back, or ended without having undone all.

None of them is searched for: those that turn back or have failed have an index, and one that is
late has a clock that should have rung.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from wherry.errors import NotFound
from wherry.gateway import shapes
from wherry.gateway.shapes import Json
from wherry.gateway.views import Views
from wherry.store.client import reaching
from wherry.wiring import Runtime

#: A clock that should have rung longer ago than this was not heard by anybody.
_LATE_MS = 5_000
#: A saga that has failed is shown for so long; nothing can mend it but people, elsewhere.
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class StuckSaga:
    """A saga, what is with it, and what to do."""

    name: str
    id: str
    said: str
    since: str | None
    do: str
    cli: str


class StuckSagas:
    """Finds them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._views = Views(runtime)

    def found(self, limit: int) -> list[StuckSaga]:
        """Up to `limit` of each sort."""
        late = (self._late(*saga) for saga in self._with_late_clocks(limit))
        return [*filter(None, late), *self._turned_back(limit), *self._failed(limit)]

    def _with_late_clocks(self, limit: int) -> Iterator[tuple[str, str]]:
        """Name and id of sagas whose clock should have rung."""
        now_ms = self._runtime.store.now_ms()
        for number in range(self._runtime.registry.partitions):
            timers = self._runtime.store.keys.partition(number).timers
            with reaching():
                due = self._runtime.redis.zrangebyscore(
                    timers, "-inf", now_ms - _LATE_MS, start=0, num=limit
                )
            for timer in cast("list[bytes]", due):
                address, _, name = timer.decode().partition(":")
                kind, _, id_ = address.partition("/")
                if name == "tick" and kind.startswith("saga."):
                    yield kind.removeprefix("saga."), id_

    def _late(self, name: str, id_: str) -> StuckSaga | None:
        try:
            shown = self._views.saga(name, id_)
        except NotFound:
            return None
        if shown["status"] != "running":
            return None
        now = shapes.instant(self._runtime.store.now_ms())
        past = shown["deadline"] is not None and shown["deadline"] <= now
        said = "past its deadline" if past else "a step is late"
        return StuckSaga(
            name, id_, f"{said}, and nobody has told it so", shown["deadline"],
            "Its clock was not heard: see who works", "wherry doctor",
        )  # fmt: skip

    def _turned_back(self, limit: int) -> Iterator[StuckSaga]:
        for name, row in self._in("compensating", limit):
            shown = self._views.saga(name, row["id"])
            if shown["status"] != "compensating":  # it has ended meanwhile
                continue
            open_ = [s["name"] for s in shown["steps"] if s["status"] in _OPEN]
            waits = f"; waits for {', '.join(open_)}" if open_ else ""
            yield StuckSaga(
                name, row["id"], f"turns back after {_code(shown)}{waits}", row["updated_at"],
                "End it at once: every undo is sent, none is waited for",
                f"wherry saga kill {name} {row['id']}",
            )  # fmt: skip

    def _failed(self, limit: int) -> Iterator[StuckSaga]:
        oldest = shapes.instant(self._runtime.store.now_ms() - _DAY_MS)
        for name, row in self._in("failed", limit):
            if row["updated_at"] < oldest:
                continue
            shown = self._views.saga(name, row["id"])
            if _code(shown) != "killed":
                yield StuckSaga(
                    name, row["id"], f"could not undo all ({_code(shown)})", row["updated_at"],
                    "Correct what refuses the undo, then send it again",
                    f"wherry saga retry {name} {row['id']}",
                )  # fmt: skip

    def _in(self, status: str, limit: int) -> Iterator[tuple[str, Json]]:
        for name in sorted(self._runtime.registry.app.sagas):
            for row in self._views.sagas(name, status, limit)["items"]:
                yield name, row


_OPEN = frozenset({"running", "late", "undoing"})


def _code(shown: Json) -> str:
    return str(shown["problem"]["code"]) if shown["problem"] else "a problem"
