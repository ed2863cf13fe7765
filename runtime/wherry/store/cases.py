"""Cases: what is stored of an entity beside what its log tells; audit and repair start here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from wherry.engine.registry import Registry
from wherry.engine.supervision import Attention
from wherry.store.client import Store, reaching
from wherry.store.look import Place, Stored, number, read_entities, tell
from wherry.store.timing import Found, on_their_way, read_timers
from wherry.store.told import Fault, Told, WantedTimer

_attention = msgspec.json.Decoder(Attention)


@dataclass(slots=True)
class Case:
    """One entity.

    told      None when its kind is not deployed
    obstacle  why nobody can say what it should be; None when its log tells all
    timers    those that it needs; one whose message is on its way is not among them
    found     what is stored of these timers; of others, too, when they were asked for
    blind     the keys of timers are of another type: nothing is known of its timers
    moved     something has happened between the two looks at it: nothing is known of its timers
    """

    stored: Stored
    told: Told | None
    obstacle: Fault | None
    timers: list[WantedTimer] = field(default_factory=list)
    found: Found = field(default_factory=dict)
    blind: bool = False
    moved: bool = False

    @property
    def place(self) -> Place:
        """Where it is."""
        return self.stored.place

    @property
    def address(self) -> str:
        """`kind/key`."""
        return self.stored.place.address

    def known(self) -> Told:
        """What the log tells; only of a case without an obstacle."""
        assert self.told is not None  # noqa: S101 - that is an obstacle
        return self.told

    def is_overdue(self, timer: WantedTimer) -> bool:
        """Whether nothing will tell it that its patience is over."""
        return not timer.exact and self.found[timer.id].due_ms is None

    def is_wrong(self, timer: WantedTimer) -> bool:
        """Whether a timer that it needs is missing, has another time or no message."""
        there = self.found[timer.id]
        if there.due_ms is None or not there.is_for(self.address):
            return True
        return there.due_ms != timer.due_ms if timer.exact else there.due_ms < timer.due_ms


def read_cases(
    store: Store,
    registry: Registry,
    places: Sequence[Place],
    more: Mapping[str, Collection[str]] | None = None,
) -> list[Case]:
    """Read entities with their logs and timers. `more` names other timers to look at."""
    cases = [
        _case(store, registry, stored)
        for stored in read_entities(store.redis, store.keys, registry, places)
    ]
    _read_timers(store, [case for case in cases if case.obstacle is None], more or {})
    return cases


def _case(store: Store, registry: Registry, stored: Stored) -> Case:
    spec = registry.kinds.get(stored.place.kind)
    told = tell(store.redis, store.keys, spec, stored) if spec and not stored.wrong else None
    return Case(stored, told, _obstacle(registry, stored, told))


def _obstacle(registry: Registry, stored: Stored, told: Told | None) -> Fault | None:
    if stored.wrong:
        return Fault("wrong-type", f"its {stored.wrong} is a key of another type")
    if told is None:
        return Fault("unknown-kind", f"no kind {stored.place.kind} is deployed")
    home = registry.partition_of(stored.place.address)
    if home != stored.place.partition:
        return Fault("misplaced", f"is in partition {stored.place.partition}, its place is {home}")
    return told.fault or _missing(stored, told)


def _missing(stored: Stored, told: Told) -> Fault | None:
    """What is not in a log, or stands in its way; None when it is complete."""
    version, said = told.version, stored.version
    if stored.hash and not stored.length:
        return Fault("log-missing", "its log is gone: there is nothing to rebuild it from")
    if version != stored.length:
        return Fault("log-gap", f"its log has {stored.length} entries, {version} can be read")
    if (number(said) or 0) > version:
        return Fault("log-short", f"versions {version + 1} to {said} are missing at its end")
    if stored.last_id not in {"", f"{version}-0"}:
        stuck = f"its log gave the id {stored.last_id} last, so it takes no version {version + 1}"
        return Fault("log-position", f"{stuck}: set it by hand, with XSETID to {version}-0")
    return None


def _read_timers(store: Store, cases: Sequence[Case], more: Mapping[str, Collection[str]]) -> None:
    wanted = {case.address: list(case.known().timers()) for case in cases}
    ids = [
        sorted({timer.id for timer in wanted[case.address]} | set(more.get(case.address, ())))
        for case in cases
    ]
    pairs = [(case.place, names) for case, names in zip(cases, ids, strict=True)]
    rows = read_timers(store.redis, store.keys, pairs)
    for case, (version, found) in zip(cases, rows, strict=True):
        case.found, case.blind = found or {}, found is None
        case.moved = version != case.stored.version
    seeing = [case for case in cases if not case.blind]
    late = _late(store, seeing, wanted)
    for case in seeing:
        case.timers = [timer for timer in wanted[case.address] if timer.id not in late]
    _let_stopped_ones_be(store, [case for case in seeing if any(map(case.is_overdue, case.timers))])


def _let_stopped_ones_be(store: Store, cases: Sequence[Case]) -> None:
    """An entity that was stopped takes no messages: it gets its patience back with a restart."""
    pipe = store.redis.pipeline(transaction=False)
    for case in cases:
        pipe.hget(store.keys.partition(case.place.partition).attention, case.address)
    with reaching():
        found = pipe.execute(raise_on_error=False)
    for case, kept in zip(cases, found, strict=True):
        if isinstance(kept, bytes) and _is_stopped(kept):
            case.timers = [timer for timer in case.timers if timer.exact]


def _is_stopped(kept: bytes) -> bool:
    try:
        return _attention.decode(kept).stopped
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _late(
    store: Store, cases: Sequence[Case], wanted: Mapping[str, Sequence[WantedTimer]]
) -> set[str]:
    """The timers that are not there since they have fired."""
    missing: dict[int, set[str]] = {}
    for case in cases:
        if any(case.found[timer.id].due_ms is None for timer in wanted[case.address]):
            missing.setdefault(case.place.partition, set()).add(case.address)
    late: set[str] = set()
    for partition, addresses in missing.items():
        late |= on_their_way(store.redis, store.keys, partition, addresses)
    return late
