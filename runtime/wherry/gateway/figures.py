"""Figures: how a namespace is doing, as numbers. For `/metrics`, and whoever watches."""

from collections.abc import Iterator
from dataclasses import dataclass

from wherry.gateway.attention import AttentionList
from wherry.gateway.breakers import Breakers
from wherry.store.client import reaching
from wherry.store.effect_store import EffectStore
from wherry.store.pauses import PauseStore
from wherry.wiring import Runtime


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found. Lists are by partition, `breakers` by target: closed, half-open, open.

    held      messages that are held back, by partition
    paused    how many entities and kinds are paused; everything counts as one
    counters  of the pumps and runners, over all partitions, since the namespace was made
    """

    backlog: list[int]
    oldest_s: list[float]
    held: list[int]
    paused: int
    pumps: int
    runners: int
    dead: int
    stopped: int
    waiting: int
    parked: int
    breakers: dict[str, str]
    counters: dict[str, int]


def read_figures(runtime: Runtime) -> Figures:
    """Look at everything. Raises Unreachable."""
    store, partitions = runtime.store, runtime.registry.partitions
    now_ms = store.now_ms()
    calls = EffectStore(store).waiting(partitions)
    resting = PauseStore(store).resting(partitions)
    return Figures(
        backlog=store.backlog(partitions),
        oldest_s=list(_oldest(runtime, now_ms)),
        held=[one.count for one in resting],
        paused=len({what for one in resting for what in one.marks}),
        pumps=len(store.alive(now_ms)),
        runners=store.listeners(),
        dead=count_dead(runtime),
        stopped=AttentionList(runtime).count(),
        waiting=sum(one.due for one in calls),
        parked=sum(one.parked for one in calls),
        breakers={row["target"]: row["state"] for row in Breakers(runtime).listed()["items"]},
        counters=store.counters(partitions),
    )


def count_dead(runtime: Runtime) -> int:
    """How many dead letters there are."""
    with reaching():
        pipe = runtime.redis.pipeline(transaction=False)
        for number in range(runtime.registry.partitions):
            pipe.xlen(runtime.store.keys.partition(number).dead)
        return sum(pipe.execute())


def _oldest(runtime: Runtime, now_ms: int) -> Iterator[float]:
    """For how long the first message of each inbox has waited, in seconds; 0 for none."""
    with reaching():
        pipe = runtime.redis.pipeline(transaction=False)
        for number in range(runtime.registry.partitions):
            pipe.xrange(runtime.store.keys.partition(number).inbox, "-", "+", count=1)
        found = pipe.execute()
    for first in found:
        came_ms = int(first[0][0].partition(b"-")[0]) if first else now_ms
        yield max(0, now_ms - came_ms) / 1000
