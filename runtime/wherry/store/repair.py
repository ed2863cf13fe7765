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
from wherry.store.cases import Case, read_cases
from wherry.store.client import Store
from wherry.store.keys import Keys
from wherry.store.look import TOGETHER, place_of, statuses
from wherry.store.timing import Found

#: How often an entity is read anew that changes all the time.
TRIES = 10


@dataclass(frozen=True, slots=True)
class Extra:
    """What was found that names an entity, and that reading the entity does not show.

    timers    what its other timers should be: due time and message; None: they should not be
    statuses  indexes that it may be in
    """

    timers: Mapping[str, tuple[int, bytes] | None] = field(default_factory=dict)
    statuses: frozenset[str] = frozenset()


NOTHING = Extra()


@dataclass(frozen=True, slots=True)
class Repaired:
    """How many things of an entity were mended; `why` it could not be, when it could not."""

    address: str
    count: int = 0
    why: str = ""


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
            outcomes = _repair_page(store, registry, left, code, extras or {})
            yield from (one for one in outcomes if isinstance(one, Repaired))
            left = [one for one in outcomes if isinstance(one, str)]
            if not left:
                break
        for address in left:
            yield Repaired(address, why="it changes all the time; try once more")


def repair_effect(store: Store, partition: int, effect_id: str) -> int:
    """Mend what is kept of a call to the outside world; return how much that was."""
    own = store.keys.partition(partition)
    keys = [own.effects, own.effect, own.parked, own.attempt]
    reply = store.call(FunctionCall("repair_effect", keys, [effect_id, store.now_ms()]))
    return int(reply[1]) if reply[0] == b"REPAIRED" else 0


def _repair_page(
    store: Store,
    registry: Registry,
    addresses: Sequence[str],
    code: str,
    extras: Mapping[str, Extra],
) -> list[Repaired | str]:
    """What became of each; only the address when it has changed meanwhile."""
    places = [place_of(registry, address) for address in addresses]
    cases = read_cases(store, registry, places, {a: e.timers.keys() for a, e in extras.items()})
    done: list[Repaired | str] = []
    ready: list[tuple[str, FunctionCall]] = []
    for case in cases:
        if case.obstacle is not None:
            done.append(Repaired(case.address, why=case.obstacle.detail))
        elif case.blind:
            done.append(Repaired(case.address, why="the keys of timers are of another type"))
        elif case.moved:
            done.append(case.address)
        else:
            extra = extras.get(case.address, NOTHING)
            ready.append((case.address, _call(store.keys, registry, case, extra, code)))
    if ready:
        replies = store.call_many([call for _, call in ready])
        done += [
            _outcome(address, reply) for (address, _), reply in zip(ready, replies, strict=True)
        ]
    return done


def _outcome(address: str, reply: list[Any]) -> Repaired | str:
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


def _call(keys: Keys, registry: Registry, case: Case, extra: Extra, code: str) -> FunctionCall:
    """Build the call of lua/repair.lua."""
    stored, told, place = case.stored, case.known(), case.place
    own = keys.partition(place.partition)
    known = {*statuses(registry.kinds[place.kind]), *stored.scores, *extra.statuses, ""}
    names = sorted(known)
    pools, timers = _pools(case), list(_timers(case, extra))
    args: list[Arg] = [
        code, place.kind, place.key, stored.version, stored.length, told.at_ms, told.status,
        told.encoded() if told.version else b"",
        len(pools), *(word for pair in pools for word in pair), len(names),
    ]  # fmt: skip
    for position, name in enumerate(names, 6):
        args += [position, int(told.version > 0 and name in {"", told.status})]
    args += [len(timers), *(word for timer in timers for word in timer)]
    log = own.log(place.kind, place.key)
    fixed = [own.meta, own.timers, own.timer, own.entity(place.kind, place.key), log]
    return FunctionCall("repair", [*fixed, *(own.index(place.kind, name) for name in names)], args)


def _pools(case: Case) -> list[tuple[str, str]]:
    """The fields of pools; a 0 that nobody has written is not written now."""
    fields, there = case.known().pool_fields().items(), case.stored.hash
    return [(name, value) for name, value in fields if value != "0" or name.encode() in there]


def _timers(case: Case, extra: Extra) -> Iterator[tuple[Arg, Arg, Arg, Arg]]:
    """Id, due time, message, and the due time that is stored, of each timer that is not right."""
    needed = {timer.id for timer in case.timers}
    for timer in case.timers:
        if case.is_wrong(timer):
            yield timer.id, timer.due_ms, timer.message, _due(case.found, timer.id)
    for id_, wanted in extra.timers.items():
        if id_ not in needed:
            due, message = wanted or ("", b"")
            yield id_, due, message, _due(case.found, id_)


def _due(found: Found, id_: str) -> Arg:
    return found[id_].words


def _word(word: Any) -> str:
    return word.decode(errors="replace") if isinstance(word, bytes) else str(word)
