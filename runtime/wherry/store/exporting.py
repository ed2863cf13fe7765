"""Exporting: everything of a namespace that follows from nothing else, piece by piece.

Left out is what is made anew (indexes, the feed), what belongs to an installation (API keys, the
audit, releases, breakers), and marks that rest on everything.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import cast

from redis import Redis, WatchError

from wherry.engine.registry import Registry
from wherry.errors import Damaged, WherryError
from wherry.store import pieces
from wherry.store.client import Store, reaching
from wherry.store.known import ONCE, KeyName, read_name
from wherry.store.look import Place, Stored, log_of, read_entities
from wherry.store.pauses import SENDING, TURNS
from wherry.store.pieces import Stored as Piece
from wherry.store.pieces import fields_of, text_of
from wherry.store.walk import fields, keys_like, members

#: Entities that are read together, and events, messages or fields of one piece.
_TOGETHER = 50
_CHUNK = 500


class Disturbed(WherryError):
    """Something was written while everything was read: the copy would not be one of any moment."""


@contextmanager
def undisturbed(redis: Redis, store: Store, partitions: int) -> Iterator[None]:
    """Make sure that nothing is written to the namespace meanwhile. Raises Disturbed.

    Whatever changes a partition writes to one of the keys that it has once.
    """
    own = [store.keys.partition(number) for number in range(partitions)]
    with redis.pipeline(transaction=True) as watching:
        with reaching():
            watching.watch(*(one.prefix + name for one in own for name in ONCE))
        yield
        watching.multi()
        watching.ping()
        try:
            with reaching():
                watching.execute()
        except WatchError:
            raise Disturbed(
                "something was written while the namespace was read: let it rest, with"
                " `wherry pause '*'` and `wherry pause '*' --refuse`"
            ) from None


def newest_id(store: Store, partitions: int) -> str:
    """The id that any inbox gave last: ids of messages are made of it, and never given again."""
    pipe = store.redis.pipeline(transaction=False)
    for number in range(partitions):
        pipe.xinfo_stream(store.keys.partition(number).inbox)
    with reaching():
        found = pipe.execute(raise_on_error=False)
    infos = [info for info in found if isinstance(info, dict)]
    ids = [cast("bytes", info["last-generated-id"]).decode() for info in infos]
    return max(ids, key=lambda id_: tuple(map(int, id_.split("-"))), default="0-0")


def highest_epoch(store: Store, partitions: int) -> int:
    """The highest epoch of any partition: ids of messages that were held back are made of it."""
    pipe = store.redis.pipeline(transaction=False)
    for number in range(partitions):
        pipe.hget(store.keys.partition(number).meta, "epoch")
    with reaching():
        found = pipe.execute()
    return max((int(epoch) for epoch in found if epoch), default=0)


class Exporter:
    """Reads one namespace. With `kind` only the entities of that kind, and their timers."""

    def __init__(self, store: Store, registry: Registry, kind: str = "") -> None:
        self._store = store
        self._redis = store.redis
        self._registry = registry
        self._kind = kind

    def everything(self) -> Iterator[Piece]:
        """Everything; what tells where another piece belongs comes after it."""
        if not self._kind:
            yield from self._strings("idem", pieces.Idem)
            yield from self._strings("result", pieces.Result)
        for number in range(self._registry.partitions):
            yield from self._timers(number)
            if not self._kind:
                yield from self._part(number)
        yield from self._entities()

    # -- commands --------------------------------------------------------------------------------

    def _strings(
        self, group: str, kind: type[pieces.Idem] | type[pieces.Result]
    ) -> Iterator[Piece]:
        for page in self._names(f"{group}:*"):
            names = [name for name in page if name.group == group]
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                pipe.get(name.text)
                pipe.pttl(name.text)
            with reaching():
                found = pipe.execute()
            for name, value, left in zip(names, found[::2], found[1::2], strict=True):
                if value is not None:
                    ends = left if left >= 0 else None
                    yield kind(name.partition, name.rest[0], text_of(value), ends)

    def _part(self, number: int) -> Iterator[Piece]:
        own, redis = self._store.keys.partition(number), self._redis
        for _, entry in _stream(redis, own.inbox):
            yield pieces.Message(number, text_of(entry.get(b"message", b"")))
        yield from self._effects(number)
        for _, entry in _stream(redis, own.dead):
            yield pieces.Dead(number, fields_of(entry))
        yield from self._marks(number)
        yield from self._held(number)

    def _marks(self, number: int) -> Iterator[Piece]:
        own, redis = self._store.keys.partition(number), self._redis
        for page in fields(redis, own.attention):
            for address, value in page.items():
                yield pieces.Attention(number, address, text_of(value))
        for page in fields(redis, own.paused):
            for what, value in page.items():
                if what not in {TURNS, SENDING}:
                    yield pieces.Paused(number, what, text_of(value))
        with reaching():
            counted = cast("dict[bytes, bytes]", redis.hgetall(own.counters))
        yield pieces.Counters(number, dict(_counts(own.counters, counted)))

    def _timers(self, number: int) -> Iterator[Piece]:
        own = self._store.keys.partition(number)
        for page in members(self._redis, own.timers):
            due = {id_: at for id_, at in page.items() if self._wants(id_.partition(":")[0])}
            if not due:
                continue
            with reaching():
                messages = cast("list[bytes | None]", self._redis.hmget(own.timer, list(due)))
            for (id_, at), message in zip(due.items(), messages, strict=True):
                if message is not None:
                    yield pieces.Timer(number, id_, at, text_of(message))

    def _effects(self, number: int) -> Iterator[Piece]:
        own = self._store.keys.partition(number)
        for page in fields(self._redis, own.effect):
            ids = list(page)
            pipe = self._redis.pipeline(transaction=False)
            pipe.zmscore(own.effects, ids)
            pipe.zmscore(own.parked, ids)
            pipe.hmget(own.attempt, ids)
            with reaching():
                rows = zip(ids, *pipe.execute(), strict=True)
            for id_, due, parked, attempt in rows:
                yield pieces.Effect(
                    number, id_, text_of(page[id_]),
                    None if due is None else int(due), None if parked is None else int(parked),
                    None if attempt is None else text_of(attempt),
                )  # fmt: skip

    def _held(self, number: int) -> Iterator[Piece]:
        own = self._store.keys.partition(number)
        with reaching():
            found = self._redis.zrange(own.held, 0, -1, withscores=True)
        for name, since in cast("list[tuple[bytes, float]]", found):
            kind, _, key = name.decode().partition("/")
            for messages in _list(self._redis, own.held_for(kind, key)):
                told = [text_of(message) for message in messages]
                yield pieces.Held(number, f"{kind}/{key}", int(since), told)

    # -- entities --------------------------------------------------------------------------------

    def _entities(self) -> Iterator[Piece]:
        """Every entity once, however often its key is listed."""
        seen: set[str] = set()
        for page in self._names(f"{self._kind or '*'}:*"):
            places = (
                Place(name.rest[0], name.rest[1], name.partition)
                for name in page
                if name.group in {"entity", "log"} and self._wants(f"{name.rest[0]}/")
            )
            fresh: list[Place] = []
            for place in places:
                if place.address not in seen:
                    seen.add(place.address)
                    fresh.append(place)
            rest = iter(fresh)
            while batch := list(islice(rest, _TOGETHER)):
                found = read_entities(self._redis, self._store.keys, self._registry, batch)
                for stored in found:
                    yield from self._entity(stored)

    def _entity(self, stored: Stored) -> Iterator[Piece]:
        place = stored.place
        if stored.wrong:
            raise Damaged(f"{place.address}: its {stored.wrong} is a key of another type")
        yield pieces.Entity(place.partition, place.address, fields_of(stored.hash))
        log = log_of(self._redis, self._store.keys, stored)
        while chunk := list(islice(log, _CHUNK)):
            events = [(id_.decode(), fields_of(entry)) for id_, entry in chunk]
            yield pieces.Events(place.partition, place.address, events)

    def _names(self, pattern: str) -> Iterator[Sequence[KeyName]]:
        for page in keys_like(self._redis, f"{{{self._store.namespace}:*}}:{pattern}"):
            yield [read_name(text, self._registry.partitions) for text in page]

    def _wants(self, address: str) -> bool:
        return not self._kind or address.partition("/")[0] == self._kind


def _counts(key: str, found: dict[bytes, bytes]) -> Iterator[tuple[str, int]]:
    for name, value in found.items():
        try:
            yield name.decode(), int(value)
        except ValueError:
            said = f"key {key}: {name!r} is no whole number; `wherry fsck` says more"
            raise Damaged(said) from None


def _stream(redis: Redis, key: str) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    after = "-"
    while True:
        with reaching():
            page = cast(
                "list[tuple[bytes, dict[bytes, bytes]]]", redis.xrange(key, after, count=_CHUNK)
            )
        yield from page
        if len(page) < _CHUNK:
            return
        after = f"({page[-1][0].decode()}"


def _list(redis: Redis, key: str) -> Iterator[list[bytes]]:
    at = 0
    while True:
        with reaching():
            page = cast("list[bytes]", redis.lrange(key, at, at + _CHUNK - 1))
        if not page:
            return
        yield page
        at += _CHUNK
