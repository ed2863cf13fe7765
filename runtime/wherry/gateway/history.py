"""History: the events of an entity, each with what it changed."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

from wherry.engine.record import fresh
from wherry.gateway import shapes
from wherry.gateway.shapes import Json
from wherry.gateway.travel import changes
from wherry.gateway.views import MOST, Entries, Entry
from wherry.store.client import reaching
from wherry.store.records import EntityRead, entity_reads, fold_event
from wherry.wiring import Runtime

#: What events changed is told by folding the log from its beginning: about a second for so many.
FOLDED = 50_000


class History:
    """The past of the entities of a namespace. It does not change: the last ones are remembered."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._told = lru_cache(maxsize=64)(self._tell)

    def of(self, address: str, upto: int, count: int) -> Json:
        """The last `count` events up to a version, newest first. Raises NotFound.

        Of a value that is hidden nobody is told how it changed; nor, beyond FOLDED, of any.
        """
        return self._told(self._runtime.bundles.code, address, upto, count)

    def _tell(self, code: str, address: str, upto: int, count: int) -> Json:
        del code  # other code reads the same log in another way
        read = entity_reads(self._runtime.store.keys, self._runtime.registry, address)
        after = max(upto - count, 0)
        told = self._folded(read, after, upto) if upto <= FOLDED else self._plain(read, after, upto)
        return {"events": list(told)[::-1], "older": after or None}

    def _plain(self, read: EntityRead, after: int, upto: int) -> Iterator[Json]:
        for id_, fields in self._log(read.log, after, upto):
            yield {**shapes.event(id_, fields), "changes": None, "fault": None}

    def _folded(self, read: EntityRead, after: int, upto: int) -> Iterator[Json]:
        shown = self._runtime.registry.redactor.shown_json
        state, before = fresh(read.spec, read.key).state, None
        for id_, fields in self._log(read.log, 0, upto):
            version = int(id_.partition(b"-")[0])
            if version == after + 1:
                before = shown(read.spec.state.encode(state))
            state, fault = _folded(read, state, fields)
            if version > after:
                now = shown(read.spec.state.encode(state))
                changed = list(changes(before, now))
                yield {**shapes.event(id_, fields), "changes": changed, "fault": fault}
                before = now

    def _log(self, log: str, after: int, upto: int) -> Iterator[Entry]:
        start = f"{after + 1}-0"
        while True:
            with reaching():
                redis = self._runtime.redis
                page = cast("Entries", redis.xrange(log, start, f"{upto}-0", count=MOST))
            yield from page
            if len(page) < MOST:
                return
            start = f"({page[-1][0].decode()}"


def _folded(read: EntityRead, state: Any, fields: dict[bytes, bytes]) -> tuple[Any, str | None]:
    """The state after an event, or the same one and why the event does not fit."""
    try:
        return fold_event(read.spec, state, fields), None
    except Exception as error:  # noqa: BLE001 - a fold is the bundle's code
        return state, f"does not fit the code: {type(error).__name__}: {error}"
