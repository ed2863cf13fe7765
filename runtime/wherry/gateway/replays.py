"""Replay: an entity built anew from its log, and compared with what is stored of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from wherry.codec import from_json
from wherry.engine.book import Book
from wherry.engine.record import Record, fresh, preview
from wherry.errors import NotFound
from wherry.gateway.shapes import Json
from wherry.gateway.views import MOST, Entries
from wherry.store.client import reaching
from wherry.store.records import EntityRead, entity_reads, stored_event
from wherry.wiring import Runtime

_Hash = dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Difference:
    """One place at which the log and what is stored tell different things."""

    path: str
    stored: Any
    rebuilt: Any


class _Broken(Exception):
    """An event of the log cannot be applied."""


def replay(runtime: Runtime, address: str) -> Json:
    """Build an entity from its log; say how that differs from what is stored. Raises NotFound."""
    read = entity_reads(runtime.store.keys, runtime.registry, address)
    with reaching():
        found = cast("_Hash", runtime.redis.hgetall(read.hash))
        if not found and not runtime.redis.exists(read.log):
            raise NotFound(f"{address}: nothing has happened to it yet")
        events = list(_log(runtime, read))
    differences = list(_differences(read, found, events))
    return {
        "entity": address,
        "version": int(found.get(b"version", b"0")),
        "events": len(events),
        "same": not differences,
        "differences": [msgspec.to_builtins(difference) for difference in differences],
    }


def _log(runtime: Runtime, read: EntityRead) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    after = "-"
    while True:
        page = cast("Entries", runtime.redis.xrange(read.log, after, "+", count=MOST))
        yield from page
        if len(page) < MOST:
            return
        after = f"({page[-1][0].decode()}"


def _differences(read: EntityRead, found: _Hash, events: Entries) -> Iterator[Difference]:
    record = fresh(read.spec, read.key)
    snapshot = int(found.get(b"snapshot", b"0"))
    kept = record.state
    try:
        for id_, fields in events:
            _apply(record, id_, fields)
            kept = record.state if record.version == snapshot else kept
    except _Broken as error:
        yield Difference(f"/log/{record.version + 1}", "an event", str(error))
        return
    yield from _compared(record, found)
    if record.version < snapshot:
        yield Difference("/snapshot", snapshot, record.version)
    elif snapshot:
        rebuilt = from_json(read.spec.state.encode(kept))
        yield from _unlike("/state", _json(found.get(b"state", b"")), rebuilt)


def _apply(record: Record, id_: bytes, fields: _Hash) -> None:
    """Take an event into a record. Raises _Broken when it cannot have happened then."""
    if id_ != b"%d-0" % (record.version + 1):
        raise _Broken(f"its id is {id_.decode()}, not {record.version + 1}-0")
    try:
        found = stored_event(record.spec, fields)
        after = preview(record, [found[1]] if found else [])
    except Exception as error:  # the bundle's code may raise anything
        raise _Broken(f"cannot be applied: {type(error).__name__}: {error}") from error
    record.state, record.books = after.state, after.books
    record.status = after.statuses[-1] if after.statuses else record.status
    record.version += 1


def _compared(record: Record, found: _Hash) -> Iterator[Difference]:
    yield from _unlike("/version", int(found.get(b"version", b"0")), record.version)
    yield from _unlike("/status", found.get(b"status", b"").decode(), record.status)
    rebuilt: dict[str, str] = {}
    for name, book in record.books.items():
        rebuilt |= _pool_fields(name, book)
    stored = dict.fromkeys((name for name in rebuilt if ":hold:" not in name), "0")
    stored |= {k.decode(): v.decode() for k, v in found.items() if k.startswith(b"pool:")}
    for name in sorted(stored.keys() | rebuilt.keys()):
        yield from _unlike(f"/{name}", stored.get(name), rebuilt.get(name))


def _pool_fields(name: str, book: Book) -> dict[str, str]:
    """A book as lua/lib/pool.lua writes it; a number that was never written counts as 0."""
    prefix = f"pool:{name}:"
    fields = {f"{prefix}hold:{hold}": value for hold, value in book.holds.items()}
    return fields | {f"{prefix}limit": str(book.limit), f"{prefix}used": str(len(book.holds))}


def _unlike(path: str, stored: Any, rebuilt: Any) -> Iterator[Difference]:
    if isinstance(stored, dict) and isinstance(rebuilt, dict):
        for name in sorted(stored.keys() | rebuilt.keys()):
            yield from _unlike(f"{path}/{name}", stored.get(name), rebuilt.get(name))
    elif stored != rebuilt:
        yield Difference(path, stored, rebuilt)


def _json(data: bytes) -> Any:
    try:
        return from_json(data)
    except msgspec.DecodeError:
        return data.decode(errors="replace")
