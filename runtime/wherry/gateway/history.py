"""History: the events of an entity, each with what it changed."""

from collections.abc import Iterator
from typing import Any, cast

from wherry.engine.record import fresh
from wherry.errors import NotFound
from wherry.gateway import shapes
from wherry.gateway.shapes import Json
from wherry.gateway.travel import changes
from wherry.gateway.views import MOST, Entries, Entry
from wherry.store.client import reaching
from wherry.store.records import entity_reads, fold_event
from wherry.wiring import Runtime


def history(runtime: Runtime, address: str, upto: int, count: int) -> Json:
    """The last `count` events up to a version, newest first. Raises NotFound.

    What they changed is told by folding the log from its beginning: that takes a second for some
    ten thousand events. Of a value that is hidden nobody is told how it changed.
    """
    shown = runtime.registry.redactor.shown_json
    read = entity_reads(runtime.store.keys, runtime.registry, address)
    first = max(upto - count, 0)
    rows: list[Json] = []
    state, before = fresh(read.spec, read.key).state, None
    for id_, fields in _log(runtime, read.log, upto):
        version = int(id_.partition(b"-")[0])
        if version == first + 1:
            before = shown(read.spec.state.encode(state))
        fault = ""
        try:
            state = fold_event(read.spec, state, fields)
        except Exception as error:  # noqa: BLE001 - a fold is the bundle's code
            fault = f"does not fit the code: {type(error).__name__}: {error}"
        if version > first:
            after = shown(read.spec.state.encode(state))
            rows.append({**shapes.event(id_, fields), **_said(before, after, fault)})
            before = after
    if not rows:
        raise NotFound(f"{address}: nothing has happened to it yet")
    return {"events": rows[::-1], "older": first or None}


def _said(before: Any, after: Any, fault: str) -> Json:
    return {"changes": list(changes(before, after)), "fault": fault or None}


def _log(runtime: Runtime, log: str, upto: int) -> Iterator[Entry]:
    after = "-"
    while True:
        with reaching():
            page = cast("Entries", runtime.redis.xrange(log, after, f"{upto}-0", count=MOST))
        yield from page
        if len(page) < MOST:
            return
        after = f"({page[-1][0].decode()}"
