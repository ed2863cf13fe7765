"""Populations: how many entities there are of each kind, in each status."""

from wherry.gateway.shapes import Json
from wherry.gateway.views import statuses
from wherry.store.client import reaching
from wherry.wiring import Runtime


def populations(runtime: Runtime) -> Json:
    """Every kind of entity and every saga, with how many there are. Raises Unreachable."""
    kinds = sorted(runtime.registry.kinds.values(), key=lambda spec: spec.name)
    wanted = [(spec.name, status) for spec in kinds for status in ("", *statuses(spec))]
    keys = [runtime.store.keys.partition(n) for n in range(runtime.registry.partitions)]
    with reaching():
        pipe = runtime.redis.pipeline(transaction=False)
        for kind, status in wanted:
            for own in keys:
                pipe.zcard(own.index(kind, status))
        counts = iter(pipe.execute())
    found = {pair: sum(next(counts) for _ in keys) for pair in wanted}
    rows = [
        {
            "kind": spec.name,
            "count": found[spec.name, ""],
            "statuses": [
                {"status": status, "count": found[spec.name, status]} for status in statuses(spec)
            ],
            "commands": sorted(c.name for c in spec.commands.values() if not c.internal),
        }
        for spec in kinds
    ]
    return {
        "entities": [row for row in rows if not row["kind"].startswith("saga.")],
        "sagas": [row for row in rows if row["kind"].startswith("saga.")],
    }
