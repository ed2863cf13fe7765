"""Unanswered: commands that were taken, and that nobody has answered yet.

An entity may answer later, when it has heard from others. If it never does, whoever asked waits for
ever; nothing else tells of it. There is no index: the pending results are looked through.
"""

from collections.abc import Iterator
from itertools import islice
from typing import cast

from wherry.engine.envelope import PENDING
from wherry.gateway.shapes import Json
from wherry.gateway.whereabouts import Whereabouts
from wherry.store.client import reaching
from wherry.wiring import Runtime

#: So many results are looked at.
_MOST = 200_000
_PAGE = 1_000


class Unanswered:
    """Commands from outside that neither wait for a turn nor have an answer. Sagas are left out."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._where = Whereabouts(runtime)

    def listed(self, limit: int = 100) -> Json:
        """Such commands; `complete` tells whether all results were looked at."""
        names = list(islice(self._names(), _MOST))
        pending = self._pending(names)
        rows = [
            {"command_id": id_, "partition": number, "unblock": f"wherry why {id_}"}
            for number, ids in sorted(pending.items())
            for id_ in sorted(ids - self._on_their_way(number) - self._sagas(number, ids))
            if self._is_pending(number, id_)  # still: it may have moved while we looked
        ]
        return {"items": rows[:limit], "complete": len(names) < _MOST and len(rows) <= limit}

    def _is_pending(self, number: int, id_: str) -> bool:
        result = self._runtime.store.result(number, id_)
        return result is not None and result.status == "pending"

    def _names(self) -> Iterator[bytes]:
        pattern = f"{{{self._runtime.namespace}:*}}:result:*"
        with reaching():
            yield from self._runtime.redis.scan_iter(pattern, count=_PAGE)

    def _pending(self, names: list[bytes]) -> dict[int, set[str]]:
        """The ids of those that have no outcome, by partition."""
        found: dict[int, set[str]] = {}
        for first in range(0, len(names), _PAGE):
            page = names[first : first + _PAGE]
            with reaching():
                pipe = self._runtime.redis.pipeline(transaction=False)
                for name in page:
                    pipe.get(name)
                stored = cast("list[bytes | None]", pipe.execute())
            for name, result in zip(page, stored, strict=True):
                if result == PENDING:
                    tag, _, id_ = name.decode().partition("}:result:")
                    found.setdefault(int(tag.rpartition(":")[2]), set()).add(id_)
        return found

    def _on_their_way(self, number: int) -> set[str]:
        """Those that wait for a turn or for their time, or that were sent again."""
        return {place.envelope.id for place in self._where.places(number, lambda _: True)}

    def _sagas(self, number: int, ids: set[str]) -> set[str]:
        """Those that have started a saga, which answers when it ends."""
        own = self._runtime.store.keys.partition(number)
        kinds = [saga.kind for saga in self._runtime.registry.app.sagas.values()]
        pairs = [(kind, id_) for id_ in ids for kind in kinds]
        with reaching():
            pipe = self._runtime.redis.pipeline(transaction=False)
            for kind, id_ in pairs:
                pipe.exists(own.entity(kind, id_))
            there = pipe.execute()
        return {id_ for (_, id_), is_there in zip(pairs, there, strict=True) if is_there}
