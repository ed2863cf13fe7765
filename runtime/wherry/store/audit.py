"""The audit: does all that is stored agree with the logs? Pure but for `read_partition`.

Every finding is a sentence that names the entity, index or timer; no sentence means that all is
well. An entity is read at one moment and can be audited at any time. Indexes and timers are read
one by one, so what is said of them only holds while nobody writes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

from redis import Redis

from wherry.engine.book import Book
from wherry.engine.envelope import read_envelope
from wherry.engine.registry import Registry
from wherry.engine.specs import EventSpec, KindSpec
from wherry.engine.upcasting import UnknownEvent
from wherry.errors import Invalid
from wherry.store.keys import Keys
from wherry.store.records import stored_event

Hash = dict[bytes, bytes]
Entries = list[tuple[bytes, Hash]]

#: Names below a partition's prefix that are not entities.
_FIXED = frozenset({
    "inbox", "meta", "dead", "feed", "timers", "timer", "outbox",
    "effects", "effect", "attempt", "parked", "attention", "counters",
})  # fmt: skip
_LISTED = frozenset({"index", "result", "idem"})


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
    """All that one partition holds. An index is named as in its key: `port`, `port:open`."""

    number: int
    entities: list[Stored] = field(default_factory=list)
    indexes: dict[str, dict[str, int]] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    timer: dict[str, bytes] = field(default_factory=dict)
    effects: dict[str, int] = field(default_factory=dict)
    effect: dict[str, bytes] = field(default_factory=dict)
    parked: dict[str, int] = field(default_factory=dict)
    attempts: frozenset[str] = frozenset()
    results: dict[str, bytes] = field(default_factory=dict)
    inbox: Entries = field(default_factory=list)
    dead: Entries = field(default_factory=list)


@dataclass(slots=True)
class Version:
    """An entity as its log tells it, after one more event. `finding` ends the story."""

    number: int
    state: Any
    status: str
    books: dict[str, Book]
    finding: str = ""


def read_partition(redis: Redis, keys: Keys, number: int) -> Image:
    """Read everything of a partition."""
    own = keys.partition(number)
    names = [
        key.decode().removeprefix(own.prefix)
        for key in redis.scan_iter(f"{own.prefix}*", count=1000)
    ]
    image = Image(number)
    image.entities = [
        _read_entity(redis, own.prefix, number, *pair) for pair in sorted(_entities(names))
    ]
    for name in names:
        group, _, rest = name.partition(":")
        if group == "index":
            image.indexes[rest] = _scores(redis, own.prefix + name)
        elif group == "result":
            image.results[rest] = cast("bytes | None", redis.get(own.prefix + name)) or b""
    image.timers = _scores(redis, own.timers)
    image.timer = _values(redis, own.timer)
    image.effects, image.parked = _scores(redis, own.effects), _scores(redis, own.parked)
    image.effect, image.attempts = (
        _values(redis, own.effect),
        frozenset(_values(redis, own.attempt)),
    )
    image.inbox = cast("Entries", redis.xrange(own.inbox))
    image.dead = cast("Entries", redis.xrange(own.dead))
    return image


def audit(registry: Registry, image: Image) -> Iterator[str]:
    """Everything that does not agree in one partition."""
    for stored in image.entities:
        yield from audit_entity(registry, stored)
    yield from audit_indexes(image)
    yield from audit_timers(registry, image)
    yield from audit_effects(registry, image)


def audit_entity(registry: Registry, stored: Stored) -> Iterator[str]:
    """What one entity's hash says, against its log: versions, state, status, lifecycle, pools."""
    name = stored.address
    spec = registry.kinds.get(stored.kind)
    if spec is None:
        yield f"{name}: no kind {stored.kind} is deployed"
        return
    if (home := registry.partition_of(name)) != stored.partition:
        yield f"{name}: is in partition {stored.partition}, its place is {home}"
    ids = [id_.decode() for id_, _ in stored.log]
    if ids != [f"{n}-0" for n in range(1, len(ids) + 1)]:
        yield f"{name}: its log has gaps: {len(ids)} entries, the last is {ids[-1]}"
    if (version := _text(stored.hash, "version")) != str(len(ids)):
        yield f"{name}: says version {version or 'none'}, its log has {len(ids)} events"
    yield from _audit_story(spec, stored)


def versions(spec: KindSpec, log: Entries) -> Iterator[Version]:
    """The entity after each event of its log; a version with a finding is the last one."""
    now = Version(0, spec.first_state(), "", {pool.name: Book() for pool in spec.pools})
    for _, fields in log:
        now = _after(spec, now, fields)
        yield now
        if now.finding:
            return


def audit_indexes(image: Image) -> Iterator[str]:
    """Each entity is in the indexes of its kind and its status, with its last change."""
    wanted: dict[str, dict[str, int]] = {}
    for stored in image.entities:
        at, status = int(_text(stored.hash, "at") or 0), _text(stored.hash, "status")
        for name in (stored.kind, f"{stored.kind}:{status}") if status else (stored.kind,):
            wanted.setdefault(name, {})[stored.key] = at
    for name in sorted(wanted.keys() | image.indexes.keys()):
        there, should = image.indexes.get(name, {}), wanted.get(name, {})
        for key in sorted(there.keys() | should.keys()):
            if there.get(key) != should.get(key):
                yield f"index {name}: {key} is at {there.get(key)}, should be at {should.get(key)}"


def audit_timers(registry: Registry, image: Image) -> Iterator[str]:
    """Each timer has its message, for an entity of this partition; each hold and saga its timer."""
    for id_ in sorted(image.timers.keys() ^ image.timer.keys()):
        yield f"timer {id_}: has {'no message' if id_ in image.timers else 'no due time'}"
    for id_ in sorted(image.timers.keys() & image.timer.keys()):
        try:
            to = read_envelope(image.timer[id_]).to
        except Invalid as error:
            yield f"timer {id_}: {error}"
            continue
        if registry.partition_of(to) != image.number:
            yield f"timer {id_}: is for {to}, which is in another partition"
    wanted = dict(_wanted_timers(registry, image))
    owned = {id_: due for id_, due in image.timers.items() if "/" in id_}
    for id_ in sorted(wanted.keys() | owned.keys()):
        should = wanted.get(id_)
        if should is not None and should != owned.get(id_):
            yield f"timer {id_}: is due at {owned.get(id_)}, should be at {should}"
        elif should is None and _belongs_to_runtime(registry, id_):
            yield f"timer {id_}: nobody needs it any more"


def audit_effects(registry: Registry, image: Image) -> Iterator[str]:
    """Each call to the outside world waits for a runner or for a person, and was asked for here."""
    waiting, parked, known = image.effects.keys(), image.parked.keys(), image.effect.keys()
    for id_ in sorted(waiting & parked):
        yield f"effect {id_}: waits for a runner and for a person"
    for id_ in sorted(known - waiting - parked):
        yield f"effect {id_}: waits for nobody"
    for id_ in sorted((waiting | parked | image.attempts) - known):
        yield f"effect {id_}: has no call"
    for id_, message in sorted(image.effect.items()):
        try:
            sender = read_envelope(message).sender
        except Invalid as error:
            yield f"effect {id_}: {error}"
            continue
        if registry.partition_of(sender) != image.number:
            yield f"effect {id_}: was asked for by {sender}, which is in another partition"


# -- reading ---------------------------------------------------------------------------------------


def _entities(names: list[str]) -> set[tuple[str, str]]:
    """Kind and key of every hash or log, also of one without the other."""
    parts = [name.split(":") for name in names if name not in _FIXED]
    return {(p[0], p[1]) for p in parts if p[0] not in _LISTED and len(p) >= 2}


def _read_entity(redis: Redis, prefix: str, number: int, kind: str, key: str) -> Stored:
    pipe = redis.pipeline(transaction=True)
    pipe.hgetall(f"{prefix}{kind}:{key}")
    pipe.xrange(f"{prefix}{kind}:{key}:log")
    found, log = pipe.execute()
    return Stored(kind, key, number, found, log)


def _values(redis: Redis, key: str) -> dict[str, bytes]:
    return {id_.decode(): value for id_, value in cast("Hash", redis.hgetall(key)).items()}


def _scores(redis: Redis, key: str) -> dict[str, int]:
    rows = cast("list[tuple[bytes, float]]", redis.zrange(key, 0, -1, withscores=True))
    return {member.decode(): int(score) for member, score in rows}


# -- one entity ------------------------------------------------------------------------------------


def _audit_story(spec: KindSpec, stored: Stored) -> Iterator[str]:
    name, found = stored.address, stored.hash
    snapshot = int(_text(found, "snapshot") or 0)
    last = Version(0, spec.first_state(), "", {pool.name: Book() for pool in spec.pools})
    for last in versions(spec, stored.log):
        if last.finding:
            yield f"{name}: {last.finding}"
            return
        told = spec.state.encode(last.state) if last.number == snapshot else None
        if told is not None and told != found.get(b"state"):
            yield f"{name}: its state is {_text(found, 'state')}, its log tells {told.decode()}"
    if snapshot > last.number:
        yield f"{name}: its state is of version {snapshot}, its log ends at {last.number}"
    if _text(found, "status") != last.status:
        yield f"{name}: its status is {_text(found, 'status')!r}, its log tells {last.status!r}"
    yield from _audit_pools(name, found, last.books)


def _after(spec: KindSpec, now: Version, fields: Hash) -> Version:
    number, type_ = now.number + 1, fields.get(b"type", b"").decode()
    try:
        found = stored_event(spec, fields)
        if found is None:
            return replace(now, number=number)
        of, event = found
        state = of.fold(now.state, event)
        books = _books_after(of, now.books, event)
    except UnknownEvent:
        return Version(
            number, now.state, now.status, now.books, f"version {number} is an unknown {type_!r}"
        )
    except Exception as error:  # noqa: BLE001 - a fold may raise anything
        return Version(
            number, now.state, now.status, now.books, f"version {number}, {type_}: {error}"
        )
    status = spec.status(state) if spec.lifecycle is not None else ""
    finding = ""
    if status != now.status and not spec.may_follow(now.status, status):
        finding = (
            f"version {number} goes from {now.status or 'new'} to {status}, which is not allowed"
        )
    return Version(number, state, status, books, finding)


def _books_after(of: EventSpec, books: dict[str, Book], event: Any) -> dict[str, Book]:
    for pool, rule in of.pools:
        books = {**books, pool.name: books[pool.name].after(pool, rule, event)[0]}
    return books


def _audit_pools(name: str, found: Hash, books: dict[str, Book]) -> Iterator[str]:
    there = {k.decode(): v.decode() for k, v in found.items() if k.startswith(b"pool:")}
    told: dict[str, str] = {}
    for pool, book in books.items():
        used = f"pool:{pool}:used"
        told |= {f"pool:{pool}:hold:{hold}": end for hold, end in book.holds.items()}
        told |= {f"pool:{pool}:limit": str(book.limit)} if book.limit else {}
        told |= {used: str(len(book.holds))} if book.holds or used in there else {}
    for field_ in sorted(there.keys() | told.keys()):
        if there.get(field_) != told.get(field_):
            yield f"{name}: {field_} is {there.get(field_)}, its log tells {told.get(field_)}"


# -- timers ----------------------------------------------------------------------------------------


def _wanted_timers(registry: Registry, image: Image) -> Iterator[tuple[str, int]]:
    """The timers that the runtime itself sets: ends of holds, clocks of sagas."""
    for stored in image.entities:
        spec = registry.kinds.get(stored.kind)
        if spec is None:
            continue
        for pool in spec.pools:
            if any(rule.then is not None for rule in pool.rules.values()):
                yield from _ends_of_holds(stored, pool.name)
        if stored.kind.startswith("saga."):
            yield from _tick(spec, stored)


def _ends_of_holds(stored: Stored, pool: str) -> Iterator[tuple[str, int]]:
    prefix = f"pool:{pool}:hold:"
    for name, end in stored.hash.items():
        if name.decode().startswith(prefix) and end != b"kept":
            yield f"{stored.address}:{pool}:{name.decode().removeprefix(prefix)}", int(end)


def _tick(spec: KindSpec, stored: Stored) -> Iterator[tuple[str, int]]:
    for last in list(versions(spec, stored.log))[-1:]:
        if not last.finding and not last.state.ended:
            yield f"{stored.address}:tick", last.state.tick


def _belongs_to_runtime(registry: Registry, id_: str) -> bool:
    """Whether a timer is a saga's clock or the end of a hold; others are the authors' own."""
    address, _, name = id_.partition(":")
    spec = registry.kinds.get(address.partition("/")[0])
    if spec is None:
        return True
    pools = {pool.name for pool in spec.pools}
    return name.partition(":")[0] in pools or (spec.name.startswith("saga.") and name == "tick")


def _text(found: Hash, name: str) -> str:
    return found.get(name.encode(), b"").decode(errors="replace")
