"""Whereabouts: in which place a message waits, and how many are before it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from wherry.engine.envelope import Envelope, read_envelope
from wherry.engine.registry import split_address
from wherry.errors import Invalid, NotFound
from wherry.store.client import reaching
from wherry.wiring import Runtime

if TYPE_CHECKING:
    from wherry.gateway.views import Entries

#: So much of a place is looked through, and no more after so many bytes: there is no index.
_MOST = 20_000
_ENOUGH_BYTES = 32 * 2**20
_PAGE = 200

Wanted = Callable[[Envelope], bool]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message waits. `before` is how many others come first; `since` is in ms.

    kind  inbox, held (for its entity), timer (`since` is when it is due), dead
    id    of the dead letter
    """

    kind: str
    partition: int
    envelope: Envelope
    since: int
    before: int = 0
    id: str = ""


class Whereabouts:
    """Looks for messages. What moves meanwhile may be missed."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._redis = runtime.redis
        self._keys = runtime.store.keys

    def find(self, partition: int, wanted: Wanted) -> Place | None:
        """The first message of a kind that waits in a partition, dead letters last."""
        return next(self.places(partition, wanted), None)

    def places(self, partition: int, wanted: Wanted) -> Iterator[Place]:
        """All of them."""
        for look in (self._inbox, self._held, self._timers, self._dead):
            yield from (place for place in look(partition) if wanted(place.envelope))

    def waiting(self, partition: int, wanted: Wanted) -> Iterator[Place]:
        """Those that wait for a turn, or are held back."""
        for look in (self._inbox, self._held):
            yield from (place for place in look(partition) if wanted(place.envelope))

    def timers_of(self, address: str) -> list[tuple[str, Place]]:
        """The timers of an entity and the commands to it that are delayed, the earliest first."""
        partition = self._runtime.registry.partition_of(address)
        found = [(p.id, p) for p in self._timers(partition) if p.envelope.to == address]
        return sorted(found, key=lambda pair: pair[1].since)

    def timer(self, id_: str) -> Place | None:
        """The timer of an id; None when there is none."""
        address = id_.partition(":")[0]
        try:
            split_address(address)
        except NotFound:
            return None
        own = dict(self.timers_of(address))
        return own.get(id_)

    # -- places ----------------------------------------------------------------------------------

    def _inbox(self, partition: int) -> Iterator[Place]:
        inbox = self._keys.partition(partition).inbox
        for before, (id_, message) in enumerate(self._entries(inbox)):
            since = int(id_.partition("-")[0])
            yield Place("inbox", partition, _read(message), since, before)

    def _held(self, partition: int) -> Iterator[Place]:
        own = self._keys.partition(partition)
        with reaching():
            found = cast(
                "list[tuple[bytes, float]]", self._redis.zrange(own.held, 0, -1, withscores=True)
            )
        for name, since in found:
            key = own.held_for(*split_address(name.decode()))
            with reaching():
                messages = cast("list[bytes]", self._redis.lrange(key, 0, _MOST - 1))
            for before, message in enumerate(messages):
                yield Place("held", partition, _read(message), int(since), before)

    def _timers(self, partition: int) -> Iterator[Place]:
        own = self._keys.partition(partition)
        for start in range(0, _MOST, _PAGE):
            with reaching():
                due = cast(
                    "list[tuple[bytes, float]]",
                    self._redis.zrange(own.timers, start, start + _PAGE - 1, withscores=True),
                )
                ids = [id_ for id_, _ in due]
                messages = self._redis.hmget(own.timer, ids) if ids else []
            for (id_, at), message in zip(due, cast("list[bytes | None]", messages), strict=True):
                yield Place(
                    "timer", partition, _read(message or b""), int(at), id=id_.decode()
                )  # fmt: skip
            if len(due) < _PAGE:
                return

    def _dead(self, partition: int) -> Iterator[Place]:
        for id_, message in self._entries(self._keys.partition(partition).dead):
            since = int(id_.partition("-")[0])
            yield Place("dead", partition, _read(message), since, id=f"{partition}-{id_}")

    def _entries(self, stream: str) -> Iterator[tuple[str, bytes]]:
        start, count, size = "-", 0, 0
        while count < _MOST and size < _ENOUGH_BYTES:
            with reaching():
                page = cast("Entries", self._redis.xrange(stream, start, "+", count=_PAGE))
            for id_, fields in page:
                message = fields.get(b"message", b"")
                size += len(message)
                yield id_.decode(), message
            if len(page) < _PAGE:
                return
            count += len(page)
            start = f"({page[-1][0].decode()}"


def _read(message: bytes) -> Envelope:
    try:
        return read_envelope(message)
    except Invalid:
        return Envelope("", "", "")
