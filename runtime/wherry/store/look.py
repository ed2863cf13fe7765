"""Looking at entities while everybody goes on: as they are at one moment, many in a round trip."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis
from redis.exceptions import ResponseError

from wherry.engine.registry import Registry
from wherry.engine.specs import KindSpec
from wherry.store.client import reaching
from wherry.store.keys import Keys
from wherry.store.told import Entry, Hash, Told
from wherry.store.walk import whole

#: Entities that one round trip reads, and events of each; more of them come page by page.
TOGETHER = 100
FIRST_EVENTS = 100
PAGE = 1000
_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entity is, or should be."""

    kind: str
    key: str
    partition: int

    @property
    def address(self) -> str:
        """`kind/key`."""
        return f"{self.kind}/{self.key}"


@dataclass(frozen=True, slots=True)
class Stored:
    """One entity as it was at one moment.

    length   entries of its log; `last_id` is the id that the log gave last, empty without a log
    first    the first of these entries; what follows never changes
    scores   its time in each index that it is in, by status; of its kind as ``
    wrong    a key that is not what it has to be
    """

    place: Place
    hash: Hash
    length: int
    last_id: str
    first: Sequence[Entry]
    scores: dict[str, int]
    wrong: str = ""

    @property
    def version(self) -> str:
        """What its hash says; empty when it says nothing."""
        return self.text("version")

    def text(self, name: str) -> str:
        """A field of its hash."""
        return self.hash.get(name.encode(), b"").decode(errors="replace")

    @property
    def exists(self) -> bool:
        """Whether there is a hash or a log."""
        return bool(self.hash or self.last_id or self.wrong)


def number(text: str) -> int | None:
    """A version or a time; None when it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def place_of(registry: Registry, address: str) -> Place:
    """Where an entity has to be."""
    kind, _, key = address.partition("/")
    return Place(kind, key, registry.partition_of(address))


def statuses(spec: KindSpec | None) -> list[str]:
    """Every status that an entity of a kind can have."""
    edges = ((spec.lifecycle if spec else None) or {}).items()
    return sorted({name for old, new in edges for name in (old, *new)} - {""})


def read_entities(
    redis: Redis, keys: Keys, registry: Registry, places: Sequence[Place]
) -> list[Stored]:
    """Read entities, all at one moment."""
    pipe = redis.pipeline(transaction=True)
    lists = [["", *statuses(registry.kinds.get(place.kind))] for place in places]
    for place, names in zip(places, lists, strict=True):
        own = keys.partition(place.partition)
        log = own.log(place.kind, place.key)
        pipe.hgetall(own.entity(place.kind, place.key))
        pipe.xinfo_stream(log)
        pipe.xrange(log, count=FIRST_EVENTS)
        for name in names:
            pipe.zscore(own.index(place.kind, name), place.key)
    with reaching():
        found = iter(pipe.execute(raise_on_error=False))
    return [
        _stored(place, next(found), next(found), next(found), {n: next(found) for n in names})
        for place, names in zip(places, lists, strict=True)
    ]


def log_of(redis: Redis, keys: Keys, stored: Stored) -> Iterator[Entry]:
    """The log of an entity as it was then, read page by page."""
    yield from stored.first
    if stored.length <= len(stored.first):
        return
    log = keys.partition(stored.place.partition).log(stored.place.kind, stored.place.key)
    after = stored.first[-1][0]
    while True:
        with reaching():
            found = redis.xrange(log, f"({after.decode()}", stored.last_id, count=PAGE)
        page = cast("Sequence[Entry]", found)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1][0]


def tell(redis: Redis, keys: Keys, spec: KindSpec, stored: Stored) -> Told:
    """Read the whole log of an entity."""
    told = Told(spec, stored.place.key, number(stored.text("snapshot")) or 0)
    told.read(log_of(redis, keys, stored))
    return told


def _stored(place: Place, hash_: Any, info: Any, first: Any, scores: dict[str, Any]) -> Stored:
    hash_, wrong = _hash(hash_)
    if isinstance(info, ResponseError):
        wrong = wrong or ("log" if "no such key" not in str(info).lower() else "")
        info, first = {}, []
    found = {status: whole(at) for status, at in scores.items() if isinstance(at, float)}
    if any(isinstance(at, ResponseError) for at in scores.values()):
        wrong = wrong or "index"
    last_id = info.get("last-generated-id", b"").decode()
    return Stored(place, hash_, info.get("length", 0), last_id, first, found, wrong)


def _hash(found: Any) -> tuple[Hash, str]:
    if isinstance(found, ResponseError):
        return {}, "hash"
    return cast("Hash", found), ""
