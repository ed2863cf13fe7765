"""Repair: what is stored of an entity is made what its log tells. The log is never written.

Everybody may go on meanwhile: lua/repair.lua refuses what has changed since it was read, and then
it is read again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from wherry.engine.registry import Registry
from wherry.store.calls import Arg, FunctionCall
from wherry.store.client import Store
from wherry.store.keys import Keys
from wherry.store.look import TOGETHER, Place, Stored, place_of, read_entities, statuses, tell
from wherry.store.timing import Found, on_their_way, read_timers
from wherry.store.told import Told, WantedTimer

#: How often an entity is read anew that changes all the time.
TRIES = 10


@dataclass(frozen=True, slots=True)
class Extra:
    """What was found that names an entity, and that reading the entity does not show."""

    timers: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Repaired:
    """How many things of an entity were mended; `why` it could not be, when it could not."""

    address: str
    count: int = 0
    why: str = ""


@dataclass(slots=True)
class _Case:
    """One entity: what is stored of it, and what it should be."""

    stored: Stored
    told: Told | None
    wanted: list[WantedTimer] = field(default_factory=list)
    found: Found = field(default_factory=dict)

    @property
    def place(self) -> Place:
        return self.stored.place


def repair_many(
    store: Store,
    registry: Registry,
    addresses: Iterable[str],
    *,
    code: str = "",
    extras: Mapping[str, Extra] | None = None,
) -> Iterator[Repaired]:
    """Repair entities, many in a round trip; nothing happens to those that are as they should be.

    `code` is the version of the bundles of `registry`: it has to be the one that is deployed.
    """
    rest = iter(addresses)
    while left := list(islice(rest, TOGETHER)):
        for _ in range(TRIES):
            done = list(_repair_page(store, registry, left, code, extras or {}))
            yield from (one for one in done if isinstance(one, Repaired))
            left = [one for one in done if isinstance(one, str)]
            if not left:
                break
        for address in left:
            yield Repaired(address, why="it changes all the time; repair it once more")


def why_not(registry: Registry, stored: Stored, told: Told | None) -> str:
    """Why an entity cannot be repaired; empty when it can."""
    if told is None:
        return f"no kind {stored.place.kind} is deployed"
    if stored.wrong:
        return f"its {stored.wrong} is a key of another type"
    if registry.partition_of(stored.place.address) != stored.place.partition:
        return "it is in the wrong partition"
    return told.fault.detail if told.fault else _missing(stored, told)


def _missing(stored: Stored, told: Told) -> str:
    """What is not in a log, or stands in its way; empty when it is complete."""
    if not stored.length and stored.hash:
        return "its log is gone: there is nothing to rebuild it from"
    if told.version != stored.length:
        return f"its log has {stored.length} entries, and only {told.version} can be read"
    if stored.version.isdecimal() and int(stored.version) > told.version:
        return f"versions {told.version + 1} to {stored.version} are missing at the end of its log"
    if stored.last_id not in {"", f"{told.version}-0"}:
        return f"its log gave the id {stored.last_id} last: XSETID can set it to {told.version}-0"
    return ""


def timers_of(
    store: Store, cases: Sequence[tuple[Stored, Told]], more: Sequence[Iterable[str]]
) -> list[tuple[list[WantedTimer], Found] | None]:
    """The timers that entities need and those that they have; None for one that has changed.

    A timer whose message is on its way counts as neither. `more` names others to look at.
    """
    wanted = [list(told.timers()) for _, told in cases]
    ids = [
        sorted({timer.id for timer in timers} | set(names))
        for timers, names in zip(wanted, more, strict=True)
    ]
    places = [stored.place for stored, _ in cases]
    found = read_timers(store.redis, store.keys, list(zip(places, ids, strict=True)))
    late = _late(store, places, wanted, [timers for _, timers in found])
    result: list[tuple[list[WantedTimer], Found] | None] = []
    for (stored, _), timers, (version, there) in zip(cases, wanted, found, strict=True):
        needed = [timer for timer in timers if timer.id not in late]
        result.append((needed, there) if version == stored.version else None)
    return result


def _late(
    store: Store,
    places: Sequence[Place],
    wanted: Sequence[Sequence[WantedTimer]],
    found: Sequence[Found],
) -> set[str]:
    """The timers that are not there since they have fired."""
    missing: dict[int, set[str]] = {}
    for place, timers, there in zip(places, wanted, found, strict=True):
        if any(there[timer.id].due_ms is None for timer in timers):
            missing.setdefault(place.partition, set()).add(place.address)
    late: set[str] = set()
    for partition, addresses in missing.items():
        late |= on_their_way(store.redis, store.keys, partition, addresses)
    return late


def is_wrong(address: str, timer: WantedTimer, found: Found) -> bool:
    """Whether a timer that an entity needs is missing, has another time or no message."""
    there = found[timer.id]
    if there.due_ms is None or not there.is_for(address):
        return True
    return there.due_ms != timer.due_ms if timer.exact else there.due_ms < timer.due_ms


def _repair_page(
    store: Store,
    registry: Registry,
    addresses: Sequence[str],
    code: str,
    extras: Mapping[str, Extra],
) -> Iterator["Repaired | str"]:
    """What became of each; only the address when it has changed meanwhile."""
    places = [place_of(registry, address) for address in addresses]
    cases: list[_Case] = []
    for stored in read_entities(store.redis, store.keys, registry, places):
        spec = registry.kinds.get(stored.place.kind)
        told = tell(store.redis, store.keys, spec, stored) if spec else None
        if why := why_not(registry, stored, told):
            yield Repaired(stored.place.address, why=why)
        else:
            cases.append(_Case(stored, told))
    more = [extras.get(case.place.address, Extra()) for case in cases]
    pairs = [(case.stored, case.told) for case in cases if case.told is not None]
    timers = timers_of(store, pairs, [extra.timers for extra in more])
    ready: list[tuple[_Case, FunctionCall]] = []
    for case, extra, known in zip(cases, more, timers, strict=True):
        if known is None:
            yield case.place.address
            continue
        case.wanted, case.found = known
        ready.append((case, _call(store.keys, registry, case, extra, code)))
    if ready:
        replies = store.call_many([call for _, call in ready])
        for (case, _), reply in zip(ready, replies, strict=True):
            yield _outcome(case.place.address, reply)


def _outcome(address: str, reply: list[Any]) -> "Repaired | str":
    match reply:
        case [b"REPAIRED", count]:
            return Repaired(address, count)
        case [b"CHANGED"]:
            return address
        case [b"CODE", version]:
            why = f"version {version.decode()} of the bundles is deployed, and this is another"
            return Repaired(address, why=why)
        case _:
            return Repaired(address, why=" ".join(_word(word) for word in reply[1:]))


def _call(keys: Keys, registry: Registry, case: _Case, extra: Extra, code: str) -> FunctionCall:
    """Build the call of lua/repair.lua."""
    stored, told, place = case.stored, case.told, case.place
    assert told is not None  # noqa: S101 - a case without one was sorted out
    own = keys.partition(place.partition)
    known = {*statuses(registry.kinds[place.kind]), *stored.scores, *extra.statuses}
    names = sorted(known | {""})
    indexes = [own.index(place.kind, name) for name in names]
    pools = _pools(stored, told)
    timers = list(_timers(case, extra))
    args: list[Arg] = [
        code, place.kind, place.key, stored.version, stored.length, told.at_ms, told.status,
        told.encoded() if told.version else b"",
        len(pools), *(word for pair in pools.items() for word in pair), len(names),
    ]  # fmt: skip
    for position, name in enumerate(names, 6):
        args += [position, int(told.version > 0 and name in {"", told.status})]
    args += [len(timers), *(word for timer in timers for word in timer)]
    log = own.log(place.kind, place.key)
    fixed = [own.meta, own.timers, own.timer, own.entity(place.kind, place.key), log]
    return FunctionCall("repair", [*fixed, *indexes], args)


def _pools(stored: Stored, told: Told) -> dict[str, str]:
    """The fields of pools; a 0 that nobody has written is not written now."""
    fields = told.pool_fields().items()
    return {name: value for name, value in fields if value != "0" or name.encode() in stored.hash}


def _timers(case: _Case, extra: Extra) -> Iterator[tuple[Arg, Arg, Arg, Arg]]:
    needed = {timer.id: timer for timer in case.wanted}
    for timer in needed.values():
        if is_wrong(case.place.address, timer, case.found):
            yield timer.id, timer.due_ms, timer.message, _due(case.found, timer.id)
    for id_ in sorted(extra.timers - needed.keys()):
        yield id_, "", "", _due(case.found, id_)


def _due(found: Found, id_: str) -> Arg:
    due = found[id_].due_ms
    return "" if due is None else due


def _word(word: Any) -> str:
    return word.decode(errors="replace") if isinstance(word, bytes) else str(word)
