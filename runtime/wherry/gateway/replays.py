"""Replay: one entity built anew from its log, and compared with what is stored of it."""

from collections.abc import Iterator

from wherry.engine.registry import split_address
from wherry.errors import NotFound
from wherry.gateway.shapes import Json
from wherry.store.cases import Case, read_cases
from wherry.store.checks import check_hash
from wherry.store.look import number, place_of
from wherry.wiring import Runtime


def replay(runtime: Runtime, address: str) -> Json:
    """Build an entity from its log; say how that differs from what is stored. Raises NotFound."""
    kind, _ = split_address(address)
    runtime.registry.kind(kind)
    place = place_of(runtime.registry, address)
    (case,) = read_cases(runtime.store, runtime.registry, [place])
    if not case.stored.exists:
        raise NotFound(f"{address}: nothing has happened to it yet")
    differences = list(_differences(case))
    return {
        "entity": address,
        "version": number(case.stored.version) or 0,
        "events": case.stored.length,
        "same": not differences,
        "differences": differences,
    }


def _differences(case: Case) -> Iterator[Json]:
    if case.obstacle is not None:
        after = 1 + (case.told.version if case.told else 0)
        said = case.obstacle.detail
        yield {"path": f"/log/{after}", "stored": "an event", "rebuilt": said}
        return
    for finding in check_hash(case):
        yield {"path": finding.path, "stored": finding.stored, "rebuilt": finding.rebuilt}
