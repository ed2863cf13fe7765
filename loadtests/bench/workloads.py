"""What the benchmark does: counters, vessels that dock, and orders that ask the outside world."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from loadtests.bench.driver import Job, send_all, wait_all
from loadtests.bench.endings import Ending
from loadtests.bench.orders import count_confirmed, orders, shop
from loadtests.bench.source import ROOT, Source
from loadtests.bench.system import System
from wherry import Ref
from wherry.engine.saga import id_near

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload. `jobs(run, count)` makes the jobs of a run; `verify` raises if one is wrong.

    ends        what ends a job; without it, its result does
    latency_ms  of the systems outside, if there are any
    base        the workload with which this one is compared, run by run
    """

    name: str
    source: Source
    count: int
    prepare: Callable[[System, int], None]
    jobs: Callable[[str, int], list[Job]]
    verify: Callable[[System, int], dict[str, int]]
    ends: Ending | None = None
    latency_ms: float = 0
    base: str = ""


def _no_preparation(system: System, count: int) -> None:
    del system, count


def _increments(run: str, count: int) -> list[Job]:
    return [Job(f"counter/c{n % 1000}", "Increment", {"by": 1}, f"{run}-{n}") for n in range(count)]


def _sum_counters(system: System, count: int) -> dict[str, int]:
    records = system.runtime.store.load(
        system.runtime.registry, [f"counter/c{n}" for n in range(1000)]
    )
    total = sum(record.state.value for record in records.values())
    if total != count:
        raise RuntimeError(f"the counters add up to {total}, not {count}")
    return {"counted": total}


#: Vessels that each port has room for: of 20 that want to dock, 18 can.
_CAPACITY = 18
_PORTS = 50


def _harbours(system: System, vessels: int) -> None:
    ports = max(1, vessels // 20)
    place = {"latitude": 51.9, "longitude": 4.1}
    jobs = [
        Job(
            f"port/p{n}",
            "RegisterPort",
            {"name": f"Port {n}", "capacity": _CAPACITY, **place},
            f"rp{n}",
        )
        for n in range(ports)
    ]
    jobs += [
        Job(f"vessel/v{n}", "RegisterVessel", {"name": f"Vessel {n}"}, f"rv{n}")
        for n in range(vessels)
    ]
    jobs += [Job(f"vessel/v{n}", "UpdatePosition", place, f"up{n}") for n in range(vessels)]
    send_all(system, jobs)
    wait_all(system, jobs)


def _dockings(run: str, count: int) -> list[Job]:
    ports = max(1, count // 20)
    # The ids that the runtime makes when the caller names none.
    ids = [id_near(f"{run}-{n}", Ref("port", f"p{n % ports}")) for n in range(count)]
    return [
        Job(f"saga.docking/{id_}", "Start", {"vessel_id": f"v{n}", "port_id": f"p{n % ports}"}, id_)
        for n, id_ in enumerate(ids)
    ]


def _count_docked(system: System, count: int) -> dict[str, int]:
    ports = max(1, count // 20)
    records = system.runtime.store.load(
        system.runtime.registry, [f"port/p{n}" for n in range(ports)]
    )
    docked = sum(len(record.state.docked) for record in records.values())
    if any(len(record.state.docked) > _CAPACITY for record in records.values()):
        raise RuntimeError("a port is over its capacity")
    if docked != min(count, ports * _CAPACITY):
        raise RuntimeError(f"{docked} vessels are docked, not {min(count, ports * _CAPACITY)}")
    return {"docked": docked, "refused": count - docked}


_COUNTER = Workload(
    "counter", Source(_HERE / "functions", "counter"), 20_000,
    _no_preparation, _increments, _sum_counters,
)  # fmt: skip
_DOCKING = Workload(
    "docking", Source(ROOT / "functions", "docking"), 1_000, _harbours, _dockings, _count_docked
)
_ORDERS = Workload(
    "orders", Source(ROOT / "functions", "orders"), 1_000, shop, orders, count_confirmed,
    ends=Ending("order", "ShipmentCreated"),
)  # fmt: skip
_SLOW_ORDERS = replace(_ORDERS, name="orders-50ms", latency_ms=50, base="orders")

WORKLOADS = {each.name: each for each in (_COUNTER, _DOCKING, _ORDERS, _SLOW_ORDERS)}
