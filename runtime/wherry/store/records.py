"""Reading an entity: its hash, and the events that its stored state does not hold yet."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import msgspec
from redis import Redis

from wherry.engine.book import Book
from wherry.engine.record import Record, fresh
from wherry.engine.registry import Registry, split_address
from wherry.engine.specs import EventSpec, KindSpec
from wherry.engine.upcasting import read_event
from wherry.store.keys import Keys

if TYPE_CHECKING:
    from wherry.authoring.messages import Event

Hash = dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class EntityRead:
    """Where one entity is."""

    address: str
    spec: KindSpec
    key: str
    hash: str
    log: str


def entity_reads(keys: Keys, registry: Registry, address: str) -> EntityRead:
    """Find an entity's keys. Raises NotFound for an unknown kind or an impossible key."""
    kind, key = split_address(address)
    own = keys.partition(registry.partition_of(address))
    return EntityRead(address, registry.kind(kind), key, own.entity(kind, key), own.log(kind, key))


def to_record(redis: Redis, read: EntityRead, found: Hash) -> Record:
    """Build the record of an entity from its hash, and from its log where the hash is behind."""
    record = fresh(read.spec, read.key)
    if not found:
        return record
    record.version = int(found[b"version"])
    record.status = found.get(b"status", b"").decode()
    record.snapshot = int(found.get(b"snapshot", b"0"))
    record.books = {pool.name: stored_book(pool.name, found) for pool in read.spec.pools}
    if record.snapshot:
        _take_snapshot(record, found[b"state"])
    if record.snapshot < record.version:
        missing = redis.xrange(read.log, f"{record.snapshot + 1}-0", f"{record.version}-0")
        _catch_up(record, cast("list[tuple[bytes, Hash]]", missing))
    return record


def from_log(redis: Redis, read: EntityRead, found: Hash) -> Record:
    """Build the record of an entity as its log alone tells it; only pools come from the hash."""
    return to_record(redis, read, found | {b"snapshot": b"0"} if found else found)


def forget_states(redis: Redis, keys: Keys, registry: Registry, addresses: Iterable[str]) -> None:
    """Let the logs of entities count alone, until a turn or a repair writes their states again.

    Whoever reads one meanwhile folds its log: so no code takes the state of other code for its own.
    """
    rest = iter(addresses)
    while some := list(islice(rest, 500)):
        pipe = redis.pipeline(transaction=False)
        for address in some:
            pipe.hdel(entity_reads(keys, registry, address).hash, "state", "snapshot")
        pipe.execute()


def fold_event(spec: KindSpec, state: Any, fields: Hash) -> Any:
    """Return the state after a stored event."""
    found = stored_event(spec, fields)
    return state if found is None else found[0].fold(state, found[1])


def stored_event(spec: KindSpec, fields: Hash) -> "tuple[EventSpec, Event] | None":
    """Read an entry of a log; None when it counts for nothing. Raises as `read_event` does."""
    version = int(fields.get(b"v", b"1"))
    return read_event(spec, fields[b"type"].decode(), version, fields[b"data"])


def _take_snapshot(record: Record, state: bytes) -> None:
    """Take the stored state. One that does not fit the code (any more) is as good as none."""
    record.size = len(state)
    try:
        record.state = record.spec.state.decode(state)
    except (msgspec.DecodeError, UnicodeDecodeError):
        record.snapshot = 0


def _catch_up(record: Record, events: list[tuple[bytes, Hash]]) -> None:
    """Fold what the stored state does not hold yet. What cannot be folded makes a fault."""
    for id_, fields in events:
        try:
            record.state = fold_event(record.spec, record.state, fields)
        except Exception as error:  # noqa: BLE001 - a fold is the bundle's code
            name = fields.get(b"type", b"?").decode(errors="replace")
            record.fault = f"event {id_.decode()} ({name}) does not fit the code: {error!r}"
            return


def stored_book(pool: str, found: Hash) -> Book:
    """The book of a pool, as an entity's hash has it."""
    prefix = f"pool:{pool}:hold:".encode()
    holds = {
        k[len(prefix) :].decode(): v.decode() for k, v in found.items() if k.startswith(prefix)
    }
    return Book(int(found.get(f"pool:{pool}:limit".encode(), b"0")), holds)
