"""The feed: what happens in all entities of a namespace, as it happens.

Each partition has a feed of its own. A position names the last line that was read of each, so who
comes back with it misses nothing that is still there; what is not, is told.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from wherry.engine.changes import stream_id
from wherry.engine.registry import split_address
from wherry.errors import Fault, Invalid
from wherry.gateway import shapes
from wherry.gateway.shapes import Json
from wherry.store.client import reaching
from wherry.wiring import Runtime

if TYPE_CHECKING:
    from wherry.gateway.views import Entries

_ID = re.compile(r"[0-9]{1,15}-[0-9]{1,15}|0")
#: Lines that are read of each partition at once.
_PAGE = 500
#: Events whose logs are asked in one round trip.
_PIPE = 1_000


@dataclass(frozen=True, slots=True)
class Interest:
    """Which events somebody wants to see; what is empty fits all."""

    kind: str = ""
    entity: str = ""
    type: str = ""
    correlation: str = ""

    def fits_line(self, line: "Line") -> bool:
        """Whether a line may be of interest."""
        kind = line.entity.partition("/")[0]
        return (
            self.kind in {"", kind}
            and self.entity in {"", line.entity}
            and self.type in {"", line.type}
        )

    def fits(self, event: Json) -> bool:
        """Whether an event is of interest, whose line may be."""
        ids = (event["correlation_id"], event["command_id"], event["causation_id"])
        return not self.correlation or self.correlation in ids


EVERYTHING = Interest()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a feed."""

    id: str
    entity: str
    version: int
    type: str


@dataclass(frozen=True, slots=True)
class News:
    """Events, oldest first; where to go on; and whether lines had gone before they were read."""

    items: list[Json]
    position: str
    lost: bool = False
    more: bool = False


class Feed:
    """The feeds of a namespace."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def latest(self, interest: Interest, limit: int) -> News:
        """The last events, and the position behind them."""
        pages = self._newest(_PAGE)
        lines = [line for page in pages for line in page if interest.fits_line(line)]
        lines.sort(key=_when)
        if not interest.correlation:  # what it asks for, only the events tell
            lines = lines[-limit:]
        found = [event for event in self._events(lines) if interest.fits(event)]
        ends = [page[0].id if page else "0" for page in pages]
        return News(found[-limit:], ",".join(ends))

    def since(self, position: str, interest: Interest) -> News:
        """What has happened behind a position. Raises Invalid for one that we did not give."""
        ends = self._read_position(position)
        pages, lost = self._behind(ends)
        lines = [line for page in pages for line in page if interest.fits_line(line)]
        lines.sort(key=_when)
        found = [event for event in self._events(lines) if interest.fits(event)]
        after = [page[-1].id if page else end for page, end in zip(pages, ends, strict=True)]
        more = any(len(page) == _PAGE for page in pages)
        return News(found, ",".join(after), lost, more)

    def search(self, correlation: str, most: int) -> Json:
        """The events of a flow, or of one command, among about `most` of the newest ones."""
        each = max(most // self._runtime.registry.partitions, _PAGE)
        pages = self._newest(each)
        lines = sorted((line for page in pages for line in page), key=_when)
        interest = Interest(correlation=correlation)
        found = [event for event in self._events(lines) if interest.fits(event)]
        cut = [page[-1] for page in pages if len(page) >= each]
        since = max(int(line.id.partition("-")[0]) for line in cut) if cut else None
        return {
            "items": found,
            "looked_at": len(lines),
            "since": None if since is None else shapes.instant(since),
        }

    def _keys(self) -> list[str]:
        keys = self._runtime.store.keys
        return [keys.partition(n).feed for n in range(self._runtime.registry.partitions)]

    def _newest(self, count: int) -> list[list[Line]]:
        """The newest lines of each partition, newest first."""
        with reaching():
            pipe = self._runtime.redis.pipeline(transaction=False)
            for key in self._keys():
                pipe.xrevrange(key, count=count)
            return [list(map(_line, page)) for page in pipe.execute()]

    def _behind(self, ends: list[str]) -> tuple[list[list[Line]], bool]:
        """The lines behind ids, oldest first; and whether one of the ids is not there any more."""
        with reaching():
            pipe = self._runtime.redis.pipeline(transaction=False)
            for key, end in zip(self._keys(), ends, strict=True):
                pipe.xrange(key, "-" if end == "0" else f"({end}", count=_PAGE)
                pipe.xrange(key, end if end != "0" else "0-1", end if end != "0" else "0-1")
            found = pipe.execute()
        pages = [list(map(_line, page)) for page in found[::2]]
        gone = [not there and end != "0" for there, end in zip(found[1::2], ends, strict=True)]
        return pages, any(gone)

    def _read_position(self, position: str) -> list[str]:
        ends = position.split(",")
        partitions = self._runtime.registry.partitions
        if len(ends) != partitions or not all(_ID.fullmatch(end) for end in ends):
            raise Invalid("feed", [Fault("/after", "is not a position that this feed gave")])
        return ends

    def _events(self, lines: list[Line]) -> Iterator[Json]:
        """The events that lines name, from the logs of their entities."""
        for start in range(0, len(lines), _PIPE):
            part = lines[start : start + _PIPE]
            with reaching():
                pipe = self._runtime.redis.pipeline(transaction=False)
                for line in part:
                    pipe.xrange(self._log(line.entity), f"{line.version}-0", f"{line.version}-0")
                found = cast("list[Entries]", pipe.execute())
            for line, entries in zip(part, found, strict=True):
                if entries:
                    yield {"entity": line.entity, **shapes.event(*entries[0])}

    def _log(self, address: str) -> str:
        kind, key = split_address(address)
        number = self._runtime.registry.partition_of(address)
        return self._runtime.store.keys.partition(number).log(kind, key)


def _line(entry: Any) -> Line:
    id_, fields = entry
    return Line(
        id_.decode(), fields[b"entity"].decode(), int(fields[b"version"]), fields[b"type"].decode()
    )


def _when(line: Line) -> tuple[int, int]:
    return stream_id(line.id)
