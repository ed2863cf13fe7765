"""A record: one entity in memory - its state, version and pools - and what a turn changed of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wherry.authoring.messages import Event
from wherry.authoring.pool import Pool, PoolRule
from wherry.engine.book import Book, PoolStep
from wherry.engine.decision import Folded
from wherry.engine.envelope import Envelope
from wherry.engine.specs import EventSpec, KindSpec
from wherry.errors import Damaged, Rejected

Fields = list[bytes | str]

#: A state of more bytes than this is not written at each turn...
LARGE_STATE = 2_048
#: ...but once in this many events; reading it then costs at most as many events more.
SNAPSHOT_EVERY = 64


@dataclass(frozen=True, slots=True)
class PoolTimer:
    """A hold that ends: `command` is sent at `due_ms`; no command means that the timer stops."""

    name: str
    due_ms: int = 0
    command: Any = None


@dataclass(slots=True)
class Record:
    """An entity. `version` is the number of its events; `snapshot` that of its stored state.

    One with a `fault` cannot be used: messages to it become dead letters, the others go on.
    """

    spec: KindSpec
    key: str
    state: Any
    version: int = 0
    status: str = ""
    snapshot: int = 0
    books: dict[str, Book] = field(default_factory=dict)
    size: int = 0
    change: "Change | None" = None
    fault: str = ""

    @property
    def address(self) -> str:
        """`kind/key`."""
        return f"{self.spec.name}/{self.key}"


@dataclass(slots=True)
class Change:
    """What one turn did to an entity, as the commit needs it."""

    expected: int
    old_status: str
    statuses: list[str] = field(default_factory=list)
    steps: list[PoolStep] = field(default_factory=list)
    events: list[Fields] = field(default_factory=list)
    state: bytes = b""


@dataclass(slots=True)
class Applied:
    """A record as it would be after a handler's events; nothing is changed until `apply`."""

    state: Any
    stored: list[bytes]
    statuses: list[str]
    books: dict[str, Book]
    steps: list[PoolStep]
    timers: list[PoolTimer]


def usable(record: Record) -> Record:
    """Return the record. Raises Damaged when it cannot be used."""
    if record.fault:
        raise Damaged(f"{record.address}: {record.fault}")
    return record


def fresh(spec: KindSpec, key: str) -> Record:
    """An entity that nothing has happened to."""
    return Record(spec, key, spec.first_state(), books={pool.name: Book() for pool in spec.pools})


def preview(record: Record, events: Sequence[Event], folded: Folded | None = None) -> Applied:
    """Fold events into a record without changing it; `folded` when that is done already.

    What is folded is what will be read back: an event that its own codec cannot read would block
    the entity for good, and one that loses digits would give another state after a reload.
    Raises Rejected for a status or a pool that does not allow it.
    """
    spec = record.spec
    if folded is not None:
        stored = [spec.events[type(event).__name__].codec.encode(event) for event in events]
        return Applied(
            folded.state, stored, _allowed(record, folded.statuses), record.books, [], []
        )
    after = Applied(record.state, [], [], record.books, [], [])
    status = record.status
    for decided in events:
        of = spec.events[type(decided).__name__]
        after.stored.append(of.codec.encode(decided))
        event = of.codec.decode(after.stored[-1])
        after.state = of.fold(after.state, event)
        if spec.lifecycle is not None and (new := spec.status(after.state)) != status:
            _require_transition(record, status, new)
            after.statuses.append(new)
            status = new
        if of.pools:
            _follow(after, of, event)
    return after


def apply(record: Record, after: Applied, events: Sequence[Event], meta: Fields) -> None:
    """Make a preview real, and note it in the record's change. `meta` goes to each event."""
    change = record.change or begin(record)
    record.state = after.state
    record.books = after.books
    record.version += len(events)
    if after.statuses:
        record.status = after.statuses[-1]
        change.statuses += after.statuses
    change.steps += after.steps
    for event, data in zip(events, after.stored, strict=True):
        of = record.spec.events[type(event).__name__]
        change.events.append(["type", of.name, "data", data, *_version(of), *meta])


def _version(of: EventSpec) -> Fields:
    """The field that tells the version of an event's data; the first goes without."""
    return ["v", str(of.version)] if of.version > 1 else []


def rebuild(record: Record, told: Record) -> None:
    """Make a record what its log tells (`told`), and what this turn has decided since."""
    record.fault, record.state, record.books = told.fault, told.state, told.books
    if record.change is None or told.fault:
        return
    for fields in record.change.events:
        of = record.spec.events[str(fields[1])]
        event = of.codec.decode(msgspec.Raw(fields[3]))
        record.state = of.fold(record.state, event)
        for pool, rule in of.pools:
            book, _ = record.books[pool.name].after(pool, rule, event)
            record.books = {**record.books, pool.name: book}


def begin(record: Record) -> Change:
    """Start to note what a turn changes."""
    change = Change(record.version, record.status)
    record.change = change
    return change


def finish(record: Record) -> Change:
    """End a turn's change: decide whether the state is written with it."""
    change = record.change
    assert change is not None  # noqa: S101 - finish is only called for changed records
    record.change = None
    if record.fault:
        return change  # what it seems to be now is not what it is: the stored state stays
    if record.size <= LARGE_STATE or record.version - record.snapshot >= SNAPSHOT_EVERY:
        _snapshot(record, change)
    return change


def _snapshot(record: Record, change: Change) -> None:
    """Write the state with the change. One that is no JSON stays unwritten: the log has it all."""
    try:
        change.state = record.spec.state.encode(record.state)
    except Exception:  # noqa: BLE001 - a fold of the bundle may make anything
        return
    record.size = len(change.state)
    record.snapshot = record.version


def event_meta(envelope: Envelope, now_ms: int) -> Fields:
    """The fields that say where an event came from; those that follow from the id are left out."""
    meta: Fields = ["at", str(now_ms), "id", envelope.id]
    if envelope.cause:
        meta += ["cause", envelope.cause]
    if envelope.corr:
        meta += ["corr", envelope.corr]
    if envelope.trace:
        meta += ["trace", envelope.trace]
    return meta


def _allowed(record: Record, statuses: Sequence[str]) -> list[str]:
    status = record.status
    for new in statuses:
        _require_transition(record, status, new)
        status = new
    return list(statuses)


def _require_transition(record: Record, old: str, new: str) -> None:
    if not record.spec.may_follow(old, new):
        raise Rejected(
            "illegal-transition", f"{record.address} cannot go from {old or 'new'} to {new}"
        )


def _follow(after: Applied, of: EventSpec, event: Event) -> None:
    for pool, rule in of.pools:
        book, step = after.books[pool.name].after(pool, rule, event)
        after.books = {**after.books, pool.name: book}
        after.steps.append(step)
        after.timers.extend(_pool_timers(pool, rule, step, event))


def _pool_timers(pool: Pool, rule: PoolRule, step: PoolStep, event: Event) -> list[PoolTimer]:
    name = f"{pool.name}:{step.hold}"
    match rule.verb:
        case "hold" if rule.then is not None:
            return [PoolTimer(name, int(step.value), rule.then(event))]
        case "keep" | "free":
            return [PoolTimer(name)]
        case _:
            return []
