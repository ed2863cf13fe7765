"""How a namespace is doing at a glance: what waits, who is at work, how much is handled.

Counters only grow; a rate is what two looks differ by.
"""

from typing import Any

from rq import Worker

from wherry.gateway.figures import Figures, read_figures
from wherry.gateway.shapes import Json, instant
from wherry.store.client import reaching
from wherry.wiring import Runtime
from wherry.workers.queue import open_queue
from wherry.workers.roles import PUMPS, roles_for

_OUTCOMES = ("accepted", "rejected", "failed")
_OPEN = ("running", "compensating")
#: How many kinds are named as the slowest.
_SLOWEST = 5


def look(runtime: Runtime) -> Json:
    """Look once. Raises Unreachable."""
    figures = read_figures(runtime)
    return {
        "at": instant(now_ms := runtime.store.now_ms()),
        "at_ms": now_ms,
        "namespace": runtime.namespace,
        "waiting": sum(figures.backlog),
        "oldest_s": max(figures.oldest_s, default=0.0),
        "pumps": figures.pumps,
        "runners": figures.runners,
        "workers": _workers(runtime),
        "sagas": _sagas(runtime),
        "dead": figures.dead,
        "stopped": figures.stopped,
        "effects": {"waiting": figures.waiting, "parked": figures.parked},
        "breakers": {name: state for name, state in figures.breakers.items() if state != "closed"},
        "kinds": _kinds(figures),
    }


def between(before: Json, after: Json) -> Json:
    """The later of two looks, with what was handled between them, a second and by kind."""
    seconds = max((after["at_ms"] - before["at_ms"]) / 1000, 0.001)
    known = {row["kind"]: row for row in before["kinds"]}
    kinds = [_rate(known.get(row["kind"], {}), row, seconds) for row in after["kinds"]]
    total = round(sum(row["per_s"] for row in kinds), 1)
    slowest = sorted((k for k in kinds if k["mean_ms"]), key=lambda k: -float(k["mean_ms"]))
    return {
        **{name: value for name, value in after.items() if name != "at_ms"},
        "over_s": round(seconds, 3),
        "per_s": total,
        "kinds": sorted(kinds, key=lambda kind: (-float(kind["per_s"]), kind["kind"])),
        "slowest": [{"kind": k["kind"], "mean_ms": k["mean_ms"]} for k in slowest[:_SLOWEST]],
    }


def _kinds(figures: Figures) -> list[Json]:
    """What was handled since the namespace was made, by kind."""
    rows: dict[str, dict[str, Any]] = {}
    for name, value in figures.counters.items():
        first, _, rest = name.partition(":")
        if first == "handled":
            kind, _, outcome = rest.rpartition(":")
            _row(rows, kind)[outcome] = value
        elif first == "seconds_us":
            _row(rows, rest)["took_us"] = value
    return list(rows.values())


def _row(rows: dict[str, dict[str, Any]], kind: str) -> dict[str, Any]:
    return rows.setdefault(kind, {"kind": kind, **dict.fromkeys(_OUTCOMES, 0), "took_us": 0})


def _rate(before: Json, after: Json, seconds: float) -> Json:
    """One kind. Its time is that of what was handled meanwhile; if nothing was, of all."""
    grown = {name: max(after[name] - before.get(name, 0), 0) for name in (*_OUTCOMES, "took_us")}
    handled = sum(grown[name] for name in _OUTCOMES)
    timed, took = (handled, grown["took_us"]) if handled else (_handled(after), after["took_us"])
    return {
        "kind": after["kind"],
        "per_s": round(handled / seconds, 1),
        **{f"{name}_per_s": round(grown[name] / seconds, 1) for name in _OUTCOMES},
        "handled": _handled(after),
        "mean_ms": round(took / timed / 1000, 3) if timed else 0.0,
    }


def _handled(row: Json) -> int:
    return sum(int(row[name]) for name in _OUTCOMES)


def _workers(runtime: Runtime) -> dict[str, int]:
    """How many worker processes there are for each role that the bundles need."""
    roles = (PUMPS, *roles_for(runtime.registry.targets))
    with reaching():
        return {
            role: Worker.count(queue=open_queue(runtime.redis, runtime.namespace, role))
            for role in roles
        }


def _sagas(runtime: Runtime) -> list[Json]:
    """The sagas that have not ended, by name."""
    sagas = runtime.registry.app.sagas.values()
    keys = [runtime.store.keys.partition(n) for n in range(runtime.registry.partitions)]
    with reaching():
        pipe = runtime.redis.pipeline(transaction=False)
        for saga in sagas:
            for status in _OPEN:
                for own in keys:
                    pipe.zcard(own.index(saga.kind, status))
        counts = iter(pipe.execute())
    return [
        {"saga": saga.name, **{status: sum(next(counts) for _ in keys) for status in _OPEN}}
        for saga in sagas
    ]
