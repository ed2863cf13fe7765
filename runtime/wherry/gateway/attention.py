"""The attention list: entities that an error has stopped, and that wait for an operator."""

from collections.abc import Iterator

import msgspec

from wherry.engine.supervision import Attention
from wherry.errors import NotFound
from wherry.gateway import shapes
from wherry.gateway.requests import Request
from wherry.gateway.shapes import Json
from wherry.wiring import Runtime

read_attention = msgspec.json.Decoder(Attention).decode


class AttentionList:
    """What supervision remembers of the entities of a namespace."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def entries(self, limit: int = 100, *, every: bool = False) -> Json:
        """The stopped entities, newest first; with `every` also those that were only restarted."""
        found = [pair for pair in self._remembered() if every or pair[1].stopped]
        found.sort(key=lambda pair: (shapes.since_ms(pair[1]), pair[0]), reverse=True)
        return {"items": [shapes.attention(*pair) for pair in found[:limit]]}

    def count(self) -> int:
        """How many entities are stopped."""
        return sum(kept.stopped for _, kept in self._remembered())

    def require_stopped(self, request: Request) -> None:
        """Let only a stopped entity be restarted, or a restart be repeated. Raises NotFound."""
        store, partition = self._runtime.store, request.sending.partition
        kept = store.attention(partition).get(request.entity)
        if kept is not None and read_attention(kept).stopped:
            return
        if store.result(partition, request.command_id) is None:
            raise NotFound(f"{request.entity} is not stopped; `wherry attention list` lists those")

    def _remembered(self) -> Iterator[tuple[str, Attention]]:
        for number in range(self._runtime.registry.partitions):
            for address, kept in self._runtime.store.attention(number).items():
                yield address, read_attention(kept)
