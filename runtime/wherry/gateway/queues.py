"""Queues: what waits in the inboxes, and for whom."""

from collections import Counter
from typing import TYPE_CHECKING, cast

from wherry.engine.envelope import read_envelope
from wherry.errors import Invalid
from wherry.gateway import shapes
from wherry.gateway.shapes import Json
from wherry.store.client import reaching
from wherry.store.pauses import PauseStore
from wherry.wiring import Runtime

if TYPE_CHECKING:
    from wherry.gateway.views import Entries

#: So many entries of an inbox are looked at, and no more after so many bytes: an envelope may have
#: a megabyte. Of a longer inbox the entities are told from its front.
LOOKED_AT = 1_000
_ENOUGH_BYTES = 8 * 2**20
_PAGE = 50


class Queues:
    """The inboxes of a namespace."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def depths(self, limit: int = 20) -> Json:
        """How much waits in each partition, since when, and for which entities most of it."""
        partitions = self._runtime.registry.partitions
        resting = PauseStore(self._runtime.store).resting(partitions)
        return {"items": [self._depth(n, limit) | {"held": resting[n].count}
                          for n in range(partitions)]}  # fmt: skip

    def _depth(self, number: int, limit: int) -> Json:
        inbox = self._runtime.store.keys.partition(number).inbox
        with reaching():
            waiting = self._runtime.redis.xlen(inbox)
            entries = self._front(inbox)
        oldest = shapes.instant(int(entries[0][0].partition(b"-")[0])) if entries else None
        depths = Counter(entity for _, entity in entries).most_common(limit)
        entities = [{"entity": entity, "waiting": count} for entity, count in depths]
        return {"partition": number, "waiting": waiting, "oldest_at": oldest, "entities": entities}

    def _front(self, inbox: str) -> list[tuple[bytes, str]]:
        """The first entries: id, and whom each is for."""
        found: list[tuple[bytes, str]] = []
        start, size = "-", 0
        while len(found) < LOOKED_AT and size < _ENOUGH_BYTES:
            page = cast("Entries", self._runtime.redis.xrange(inbox, start, "+", count=_PAGE))
            for id_, fields in page:
                message = fields.get(b"message", b"")
                size += len(message)
                found.append((id_, _entity(message)))
            if len(page) < _PAGE:
                break
            start = f"({page[-1][0].decode()}"
        return found


def _entity(message: bytes) -> str:
    try:
        return read_envelope(message).to
    except Invalid:
        return "unreadable"
