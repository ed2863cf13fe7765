"""Everything that a namespace holds, read at once: tests look at small ones."""

from dataclasses import dataclass, field
from typing import cast

from redis import Redis

from wherry.store.keys import Keys
from wherry.store.known import read_name

Hash = dict[bytes, bytes]
Entries = list[tuple[bytes, Hash]]


@dataclass(frozen=True, slots=True)
class Stored:
    """One entity as it was at one moment. `partition` is where it was found."""

    kind: str
    key: str
    partition: int
    hash: Hash
    log: Entries

    @property
    def address(self) -> str:
        """`kind/key`."""
        return f"{self.kind}/{self.key}"


@dataclass(slots=True)
class Image:
    """What one partition holds."""

    number: int
    entities: list[Stored] = field(default_factory=list)
    results: dict[str, bytes] = field(default_factory=dict)
    inbox: Entries = field(default_factory=list)
    dead: Entries = field(default_factory=list)


def read_partition(redis: Redis, keys: Keys, number: int) -> Image:
    """Read everything of a partition."""
    own = keys.partition(number)
    found = [key.decode() for key in redis.scan_iter(f"{own.prefix}*", count=1000)]
    names = [read_name(text, number + 1) for text in found]
    image = Image(number)
    places = sorted({name.rest for name in names if name.group in {"entity", "log"}})
    image.entities = [_read_entity(redis, keys, number, *place) for place in places]
    for name in names:
        if name.group == "result":
            image.results[name.rest[0]] = cast("bytes | None", redis.get(name.text)) or b""
    image.inbox = cast("Entries", redis.xrange(own.inbox))
    image.dead = cast("Entries", redis.xrange(own.dead))
    return image


def _read_entity(redis: Redis, keys: Keys, number: int, kind: str, key: str) -> Stored:
    own = keys.partition(number)
    pipe = redis.pipeline(transaction=True)
    pipe.hgetall(own.entity(kind, key))
    pipe.xrange(own.log(kind, key))
    found, log = pipe.execute()
    return Stored(kind, key, number, found, log)
