"""What followed from one command, in whichever entity: found by the correlation of its events.

The feed of each partition names every event that was stored lately. Only those since the command
was sent are looked at, and of these no more at once than a busy namespace can bear.
"""

from typing import cast

from wherry.gateway import shapes
from wherry.gateway.shapes import Json
from wherry.store.client import reaching
from wherry.wiring import Runtime

_AT_ONCE = 200

Line = tuple[bytes, dict[bytes, bytes]]
Lines = list[Line]


class Following:
    """The events that share a correlation id, since a time."""

    def __init__(self, runtime: Runtime, correlation: str, since_ms: int) -> None:
        self._runtime = runtime
        self._correlation = correlation
        partitions = range(runtime.registry.partitions)
        feeds = [runtime.store.keys.partition(number).feed for number in partitions]
        # What was stored in the same millisecond comes after this.
        self._positions = dict.fromkeys(feeds, f"{since_ms - 1}-0")

    def look(self) -> list[Json]:
        """The events since the last look, by time."""
        with reaching():
            found = self._found(self._lines())
        return sorted(found, key=lambda event: (str(event["at"]), str(event["entity"])))

    def _lines(self) -> list[tuple[str, str]]:
        """Entity and version of what is new in the feeds."""
        pipe = self._runtime.redis.pipeline(transaction=False)
        for feed, position in self._positions.items():
            pipe.xrange(feed, f"({position}", "+", count=_AT_ONCE)
        pages = cast("list[Lines]", pipe.execute())
        new: list[tuple[str, str]] = []
        for feed, page in zip(self._positions, pages, strict=True):
            new += [(f[b"entity"].decode(), f[b"version"].decode()) for _, f in page]
            if page:
                self._positions[feed] = page[-1][0].decode()
        return new

    def _found(self, new: list[tuple[str, str]]) -> list[Json]:
        """Those that belong to us, with what their log says."""
        registry, keys = self._runtime.registry, self._runtime.store.keys
        new = [(entity, version) for entity, version in new if registry.can_exist(entity)]
        pipe = self._runtime.redis.pipeline(transaction=False)
        for entity, version in new:
            own = keys.partition(registry.partition_of(entity))
            pipe.xrange(own.log(*entity.split("/", 1)), f"{version}-0", f"{version}-0")
        pages = cast("list[Lines]", pipe.execute())
        return [
            {"entity": entity, **event}
            for (entity, _), page in zip(new, pages, strict=True)
            for event in (shapes.event(*line) for line in page)
            if event["correlation_id"] == self._correlation
        ]
