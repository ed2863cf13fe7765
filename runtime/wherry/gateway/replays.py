"""Replay: an entity built anew from its log, and compared with what is stored of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import msgspec

from wherry.codec import from_json
from wherry.errors import NotFound
from wherry.gateway.shapes import Json
from wherry.gateway.views import MOST, Entries
from wherry.store.client import reaching
from wherry.store.records import EntityRead, entity_reads
from wherry.store.told import Entry, Told
from wherry.wiring import Runtime

_Hash = dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Difference:
    """One place at which the log and what is stored tell different things."""

    path: str
    stored: Any
    rebuilt: Any


def replay(runtime: Runtime, address: str) -> Json:
    """Build an entity from its log; say how that differs from what is stored. Raises NotFound."""
    read = entity_reads(runtime.store.keys, runtime.registry, address)
    with reaching():
        pipe = runtime.redis.pipeline(transaction=True)
        pipe.hgetall(read.hash)
        pipe.xlen(read.log)
        found, length = pipe.execute()
        if not found and not length:
            raise NotFound(f"{address}: nothing has happened to it yet")
        # It may go on meanwhile: what came later is not in the hash that was read.
        differences = list(_differences(read, found, islice(_log(runtime, read), length)))
    return {
        "entity": address,
        "version": int(found.get(b"version", b"0")),
        "events": length,
        "same": not differences,
        "differences": [msgspec.to_builtins(difference) for difference in differences],
    }


def _log(runtime: Runtime, read: EntityRead) -> Iterator[Entry]:
    after = "-"
    while True:
        page = cast("Entries", runtime.redis.xrange(read.log, after, "+", count=MOST))
        yield from page
        if len(page) < MOST:
            return
        after = f"({page[-1][0].decode()}"


def _differences(read: EntityRead, found: _Hash, events: Iterator[Entry]) -> Iterator[Difference]:
    snapshot = int(found.get(b"snapshot", b"0"))
    told = Told(read.spec, read.key, snapshot)
    told.read(events)
    if told.fault is not None:
        yield Difference(f"/log/{told.version + 1}", "an event", told.fault.detail)
        return
    yield from _compared(told, found)
    if told.version < snapshot:
        yield Difference("/snapshot", snapshot, told.version)
    elif snapshot:
        yield from _unlike("/state", _json(found.get(b"state", b"")), _json(told.kept or b""))


def _compared(told: Told, found: _Hash) -> Iterator[Difference]:
    yield from _unlike("/version", int(found.get(b"version", b"0")), told.version)
    yield from _unlike("/status", found.get(b"status", b"").decode(), told.status)
    rebuilt = told.pool_fields()
    stored = dict.fromkeys((name for name in rebuilt if ":hold:" not in name), "0")
    stored |= {k.decode(): v.decode() for k, v in found.items() if k.startswith(b"pool:")}
    for name in sorted(stored.keys() | rebuilt.keys()):
        yield from _unlike(f"/{name}", stored.get(name), rebuilt.get(name))


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
