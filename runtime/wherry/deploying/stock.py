"""What a namespace holds, read in bulk: many entities a round trip, long logs page by page."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, cast

from wherry.store.client import Store, reaching

Hash = dict[bytes, bytes]
Entries = list[tuple[bytes, Hash]]

#: So many entities are read in one round trip...
_BATCH = 200
#: ...each with so many events; what a log has beyond that is read in pages of its own.
_FIRST, _PAGE = 50, 500


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entity is."""

    partition: int
    kind: str
    key: str

    @property
    def address(self) -> str:
        """`kind/key`."""
        return f"{self.kind}/{self.key}"


@dataclass(frozen=True, slots=True)
class History:
    """One entity as it is stored; `events` can be read once, and end at the hash's version.

    `fault` says why it cannot be read at all.
    """

    place: Place
    hash: Hash = field(default_factory=dict)
    version: int = 0
    events: Iterator[tuple[int, Hash]] = field(default_factory=lambda: iter(()))
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message under way: where it waits, and its envelope as it is stored."""

    partition: int
    where: str
    envelope: bytes


class Stock:
    """Reads one namespace. Nothing of it has to stand still meanwhile."""

    def __init__(self, store: Store) -> None:
        self._redis = store.redis
        self._keys = store.keys

    def kinds(self) -> dict[str, list[int]]:
        """The kinds that have entities, whatever is deployed, with their partitions."""
        space = re.escape(self._keys.namespace)
        index = re.compile(rf"\{{{space}:(\d+)\}}:index:([^:]+)".encode())
        found: dict[str, list[int]] = {}
        with reaching():
            for key in self._redis.scan_iter(f"{{{self._keys.namespace}:*}}:index:*", count=1000):
                if match := index.fullmatch(key):
                    found.setdefault(match[2].decode(), []).append(int(match[1]))
        return {kind: sorted(set(found[kind])) for kind in sorted(found)}

    def count(self, kind: str, partitions: Iterable[int], status: str = "") -> int:
        """How many entities of a kind there are."""
        with reaching():
            pipe = self._redis.pipeline(transaction=False)
            for number in partitions:
                pipe.zcard(self._keys.partition(number).index(kind, status))
            return sum(pipe.execute())

    def places(
        self, kind: str, partitions: Iterable[int], status: str = "", since_ms: int = 0
    ) -> Iterator[Place]:
        """The entities of a kind, or those of them in a status, that changed then or later."""
        for number in partitions:
            index = self._keys.partition(number).index(kind, status)
            for key in self._members(index, since_ms):
                yield Place(number, kind, key.decode())

    def histories(self, places: Iterable[Place]) -> Iterator[History]:
        """Each entity with its log; one that has only just begun, or is damaged, may be missing."""
        rest = iter(places)
        while some := list(islice(rest, _BATCH)):
            with reaching():
                pipe = self._redis.pipeline(transaction=False)
                for place in some:
                    own = self._keys.partition(place.partition)
                    pipe.hgetall(own.entity(place.kind, place.key))
                    pipe.xrange(own.log(place.kind, place.key), count=_FIRST)
                found = pipe.execute(raise_on_error=False)
            for place, hash_, first in zip(some, found[::2], found[1::2], strict=True):
                if hash_:
                    yield self._history(place, hash_, first)

    def messages(self, partitions: int) -> Iterator[Message]:
        """Everything that waits: in inboxes, behind timers, held back, and for runners."""
        for number in range(partitions):
            yield from self._inbox(number)
            own = self._keys.partition(number)
            for name, envelope in self._fields(own.timer):
                yield Message(number, f"timer {name.decode()}", envelope)
            for name, envelope in self._fields(own.effect):
                yield Message(number, f"effect {name.decode()}", envelope)
            for address in self._members(own.held, 0):
                yield from self._held(number, address.decode())

    def _members(self, zset: str, since_ms: int) -> Iterator[bytes]:
        """Members of a zset. By ZSCAN: an entity that changes meanwhile moves in its index."""
        with reaching():
            if since_ms:
                yield from cast("list[bytes]", self._redis.zrangebyscore(zset, since_ms, "+inf"))
            else:
                seen = self._redis.zscan_iter(zset, count=500)
                yield from (member for member, _ in seen)

    def _history(self, place: Place, hash_: Any, first: Any) -> History:
        """What was read of one entity; a key of another type is a fault, as is no version."""
        for answer in (hash_, first):
            if isinstance(answer, Exception):
                return History(place, fault=str(answer))
        version = hash_.get(b"version", b"")
        if not version.isdigit() or not hash_.get(b"snapshot", b"0").isdigit():
            return History(place, fault=f"its version is {version.decode(errors='replace')!r}")
        events = self._events(place, int(version), first)
        return History(place, hash_, int(version), events)

    def _events(self, place: Place, version: int, first: Entries) -> Iterator[tuple[int, Hash]]:
        pages = self._pages(place, first)
        for id_, fields in chain.from_iterable(pages):
            number = int(id_.partition(b"-")[0])
            if number > version:  # it has gone on since its hash was read
                return
            yield number, fields

    def _pages(self, place: Place, page: Entries) -> Iterator[Entries]:
        log = self._keys.partition(place.partition).log(place.kind, place.key)
        most = _FIRST
        while True:
            yield page
            if len(page) < most:
                return
            after = page[-1][0].decode()
            with reaching():
                page = cast("Entries", self._redis.xrange(log, f"({after}", count=_PAGE))
            most = _PAGE

    def _inbox(self, number: int) -> Iterator[Message]:
        own = self._keys.partition(number)
        with reaching():
            cursor = cast("bytes | None", self._redis.hget(own.meta, "cursor")) or b"0-0"
        after = cursor.decode()
        while True:
            with reaching():
                page = cast("Entries", self._redis.xrange(own.inbox, f"({after}", count=_PAGE))
            for id_, fields in page:
                where = f"inbox of partition {number}, {id_.decode()}"
                yield Message(number, where, fields.get(b"message", b""))
            if len(page) < _PAGE:
                return
            after = page[-1][0].decode()

    def _fields(self, key: str) -> Iterator[tuple[bytes, bytes]]:
        with reaching():
            yield from cast("Any", self._redis.hscan_iter(key, count=500))

    def _held(self, number: int, address: str) -> Iterator[Message]:
        kind, _, key = address.partition("/")
        name = self._keys.partition(number).held_for(kind, key)
        with reaching():
            envelopes = cast("list[bytes]", self._redis.lrange(name, 0, -1))
        for envelope in envelopes:
            yield Message(number, f"held for {address}", envelope)
