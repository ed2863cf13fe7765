"""Queues: what waits in the inboxes, and for whom."""

from collections import Counter
from collections.abc import Iterable

from wherry.engine.envelope import read_envelope
from wherry.errors import Invalid
from wherry.gateway import shapes
from wherry.gateway.shapes import Json
from wherry.store.client import reaching
from wherry.wiring import Runtime

#: So many entries of an inbox are looked at. Of a longer one the entities are told from its front.
LOOKED_AT = 1_000


class Queues:
    """The inboxes of a namespace."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def depths(self, limit: int = 20) -> Json:
        """How much waits in each partition, since when, and for which entities most of it."""
        partitions = self._runtime.registry.partitions
        return {"items": [self._depth(number, limit) for number in range(partitions)]}

    def _depth(self, number: int, limit: int) -> Json:
        inbox = self._runtime.store.keys.partition(number).inbox
        with reaching():
            pipe = self._runtime.redis.pipeline()
            pipe.xlen(inbox)
            pipe.xrange(inbox, "-", "+", count=LOOKED_AT)
            waiting, entries = pipe.execute()
        oldest = shapes.instant(int(entries[0][0].partition(b"-")[0])) if entries else None
        depths = Counter(_entities(entries)).most_common(limit)
        entities = [{"entity": entity, "waiting": count} for entity, count in depths]
        return {"partition": number, "waiting": waiting, "oldest_at": oldest, "entities": entities}


def _entities(entries: Iterable[tuple[bytes, dict[bytes, bytes]]]) -> Iterable[str]:
    for _, fields in entries:
        try:
            yield read_envelope(fields.get(b"message", b"")).to
        except Invalid:
            yield "unreadable"
