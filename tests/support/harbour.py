"""A harbour to test in: Rotterdam with a few berths, vessels that lie off it, sagas between."""

from collections.abc import Callable
from datetime import timedelta

from docking import app, docking
from docking.messages import (
    Docking,
    DockingReservationExpired,
    RegisterPort,
    RegisterVessel,
    ReserveDocking,
    StartDocking,
    UpdatePosition,
)
from docking.port import Port
from docking.vessel import Vessel
from wherry.testing import SagaRun, World

LATITUDE, LONGITUDE = 51.95, 4.05
HOLD = timedelta(minutes=30)
MINUTE = timedelta(minutes=1)
PATIENCE = timedelta(seconds=30)
PORT = "port/rotterdam"
VESSEL = "vessel/v1"


def harbour(
    *vessels: str, capacity: int = 2, partitions: int = 16, seed: int | None = None, batch: int = 1
) -> World:
    """Rotterdam is open, and the vessels lie before it."""
    world = World(app, partitions=partitions, seed=seed, batch=batch)
    world.send(PORT, RegisterPort("Rotterdam", capacity, LATITUDE, LONGITUDE))
    for name in vessels or ("v1",):
        world.send(f"vessel/{name}", RegisterVessel(f"The {name}"))
        world.send(f"vessel/{name}", UpdatePosition(LATITUDE, LONGITUDE))
    return world


def dock(
    world: World, vessel: str = "v1", port: str = "rotterdam", *, id: str = "", run: bool = True
) -> SagaRun[Docking]:
    return world.start(docking, StartDocking(vessel, port), id=id or apart(world), run=run)


def apart(world: World) -> str:
    """The id of a saga in another partition than Rotterdam and v1, and not used yet."""
    busy = {world.registry.partition_of(PORT), world.registry.partition_of(VESSEL)}
    taken = world.entities("saga.docking")
    ids = (f"d{n}" for n in range(1, 1000))
    return next(
        id_
        for id_ in ids
        if world.registry.partition_of(f"saga.docking/{id_}") not in busy
        and f"saga.docking/{id_}" not in taken
    )


def until(world: World, condition: Callable[[], bool]) -> None:
    """Take turns until something is so."""
    while not condition():
        assert world.step(), "everything came to rest before it was so"


def port_of(world: World, key: str = "rotterdam") -> Port:
    state = world.state(f"port/{key}")
    assert isinstance(state, Port)
    return state


def vessel_of(world: World, key: str = "v1") -> Vessel:
    state = world.state(f"vessel/{key}")
    assert isinstance(state, Vessel)
    return state


def fill(world: World) -> None:
    """Take every free place of Rotterdam."""
    port = port_of(world)
    for n in range(port.capacity - port.taken):
        assert world.send(PORT, ReserveDocking(f"other-{n}", f"other-{n}")).status == "done"


def expiries(world: World) -> list[str]:
    """The reservations of Rotterdam that have expired."""
    return [
        event.reservation_id
        for event in world.events(PORT)
        if isinstance(event, DockingReservationExpired)
    ]


def require_agreement(world: World) -> None:
    """Every saga has ended; port and vessels tell the same; nothing is held for nobody."""
    world.check()
    for address in world.entities("saga.docking"):
        assert world.status(address) in {"completed", "compensated", "failed"}, address
    lying = {a for a in world.entities("vessel") if world.status(a) == "Docked"}
    docked = {f"vessel/{name}" for a in world.entities("port") for name in world.state(a).docked}
    assert lying == docked
    for address in world.entities("port"):
        port = port_of(world, address.partition("/")[2])
        assert port.reservations == {}
        assert sorted(port.docked) == sorted(port.berths)
        assert port.taken <= port.capacity
    assert all(world.state(a).docking is None for a in world.entities("vessel"))
