"""Time travel: an entity as it was at a version or an instant, and what happened in between.

What was is told by folding the log from its beginning: a second for some ten thousand events.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, cast

import msgspec

from wherry.codec import from_json
from wherry.errors import Damaged, Fault, Invalid, NotFound
from wherry.gateway import shapes
from wherry.gateway.shapes import Json
from wherry.store.checks import unlike
from wherry.store.client import reaching
from wherry.store.look import PAGE
from wherry.store.records import EntityRead, entity_reads
from wherry.store.told import Entry, Told
from wherry.wiring import Runtime

#: A difference lists at most so many events.
MOST_EVENTS = 1000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VERSION = re.compile(r"[0-9]{1,15}")
#: `T` or a space, an offset, and no more than that: a date alone is not an instant.
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)")


def state_at(runtime: Runtime, address: str, at: int | str) -> Json:
    """The state at a version, or at an instant. Raises NotFound, Invalid, Damaged."""
    moment = _moment("at", at)
    read, newest = _find(runtime, address)
    version = _version(runtime, read, newest, moment)
    if not version and moment.at_ms is not None:
        by = shapes.instant(moment.at_ms)
        raise NotFound(f"{address}: nothing had happened to it by {by}")
    if not 1 <= version <= newest:
        raise NotFound(f"{address} has versions 1 to {newest}, not {version}")
    told = _told(read)
    _read(runtime, told, read, version)
    return _shown(told)


def difference(
    runtime: Runtime, address: str, since: int | str, until: int | str | None = None
) -> Json:
    """What changed from one version or instant to another, or to now, and by which events.

    Version 0 is before the first event; `since` may be the later one. `next` is where the events
    go on that are left out. Raises NotFound, Invalid, Damaged.
    """
    moments = [_moment("from", since), *([] if until is None else [_moment("to", until)])]
    read, newest = _find(runtime, address)
    first, last = ([_version(runtime, read, newest, m) for m in moments] + [newest])[:2]
    for name, version in (("from", first), ("to", last)):
        if version > newest:
            raise NotFound(f"{address} has versions 1 to {newest}, not {version} ({name})")
    low, high = sorted((first, last))
    told = _told(read)
    _read(runtime, told, read, low)
    states = [_plain(told)]
    _read(runtime, told, read, high)
    states.append(_plain(told))
    upto = min(high, low + MOST_EVENTS)
    return {
        "entity": address,
        "from": first,
        "to": last,
        "changes": list(changes(*(states if first <= last else states[::-1]))),
        "events": [shapes.event(*entry) for entry in _entries(runtime, read, low, upto)],
        "next": upto if upto < high else None,
    }


def changes(before: Any, after: Any) -> Iterator[Json]:
    """What differs between two JSON values, by JSON pointer; a list is one value."""
    for path, was, now in unlike("", before, after):
        yield {"path": path, "from": was, "to": now}


def _find(runtime: Runtime, address: str) -> tuple[EntityRead, int]:
    """Where an entity is, and its newest version."""
    read = entity_reads(runtime.store.keys, runtime.registry, address)
    with reaching():
        found = cast("bytes | None", runtime.redis.hget(read.hash, "version"))
    if found is None:
        raise NotFound(f"{address}: nothing has happened to it yet")
    return read, int(found)


@dataclass(frozen=True, slots=True)
class _Moment:
    """What somebody means: a version, or an instant."""

    version: int = 0
    at_ms: int | None = None


def _moment(name: str, said: int | str) -> _Moment:
    """Read a version or an instant. Raises Invalid."""
    text = str(said)
    if _VERSION.fullmatch(text):
        return _Moment(int(text))
    try:
        at = datetime.fromisoformat(text.upper()) if _INSTANT.fullmatch(text) else None
    except ValueError:
        at = None
    if at is None:
        wanted = "must be a version, or an instant like 2026-11-22T10:00:00Z"
        raise Invalid("query", [Fault(f"/{name}", f"{wanted}, not {text!r}")])
    return _Moment(at_ms=max(0, (at - _EPOCH) // timedelta(milliseconds=1)))


def _version(runtime: Runtime, read: EntityRead, newest: int, moment: _Moment) -> int:
    """The version of a moment; of an instant the last one before it, or 0."""
    if moment.at_ms is None:
        return moment.version
    return _last_before(runtime, read, newest, moment.at_ms)


def _last_before(runtime: Runtime, read: EntityRead, newest: int, at_ms: int) -> int:
    """The last version that is not younger: times of a log only grow."""
    low, high = 0, newest
    while low < high:
        middle = (low + high + 1) // 2
        entry = next(_entries(runtime, read, middle - 1, middle), None)
        if entry is not None and int(entry[1][b"at"]) > at_ms:
            high = middle - 1
        else:
            low = middle
    return low


def _entries(runtime: Runtime, read: EntityRead, after: int, upto: int) -> Iterator[Entry]:
    """The entries of a log after a version, up to another."""
    while after < upto:
        with reaching():
            page = cast(
                "list[Entry]",
                runtime.redis.xrange(read.log, f"{after + 1}-0", f"{upto}-0", count=PAGE),
            )
        yield from page
        if len(page) < PAGE:
            return
        after += len(page)


def _told(read: EntityRead) -> Told:
    return Told(read.spec, read.key)


def _read(runtime: Runtime, told: Told, read: EntityRead, upto: int) -> None:
    """Fold the log up to a version. Raises Damaged where it cannot be read."""
    told.read(islice(_entries(runtime, read, told.version, upto), upto - told.version))
    if told.fault is not None:
        raise Damaged(f"{read.address}: {told.fault.detail}")


def _plain(told: Told) -> Any:
    return from_json(told.encoded() or b"null")


def _shown(told: Told) -> Json:
    kind, _, key = told.address.partition("/")
    return {
        "entity": told.address,
        "kind": kind,
        "key": key,
        "version": told.version,
        "status": told.status,
        "state": msgspec.Raw(told.encoded() or b"null"),
        "updated_at": shapes.instant(told.at_ms),
    }
