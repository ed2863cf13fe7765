"""A property: whatever is sent in whatever order, a port is never over its capacity."""

from datetime import timedelta
from typing import Any

from hypothesis import given as forall
from hypothesis import strategies as st

from docking.messages import (
    ChangeCapacity,
    ClosePort,
    ConfirmDocking,
    ExpireReservation,
    OpenPort,
    PortKind,
    RegisterPort,
    ReserveDocking,
    UndockVessel,
)
from docking.port import Port, port
from tests.support.harbour import PORT
from wherry import App, Command
from wherry.testing import World

ids = st.sampled_from([f"r{n}" for n in range(6)])
vessels = st.sampled_from([f"v{n}" for n in range(5)])
holds = st.integers(1, 90).map(lambda minutes: timedelta(minutes=minutes))
commands: st.SearchStrategy[Command[PortKind, Any]] = st.one_of(
    st.builds(ReserveDocking, ids, vessels, holds),
    st.builds(ReserveDocking, ids, vessels, holds),
    st.builds(ConfirmDocking, ids, vessels),
    st.builds(ExpireReservation, ids),
    st.builds(UndockVessel, vessels),
    st.builds(UndockVessel, vessels, ids),
    st.builds(ChangeCapacity, st.integers(1, 5)),
    st.builds(OpenPort),
    st.builds(ClosePort),
)
jumps = st.tuples(st.sampled_from(["jump", "advance"]), st.integers(0, 60))


def require_room(world: World) -> None:
    """At every version there were at most as many places taken as there were."""
    spec = world.registry.kinds["port"]
    state = spec.initial
    for event in world.events(PORT):
        state = spec.events[type(event).__name__].fold(state, event)
        assert isinstance(state, Port)
        assert state.taken <= state.capacity, event
        assert sorted(state.docked) == sorted(state.berths)


def require_true_books(world: World) -> None:
    """The pool, which Redis checks, and the state, which people read, tell the same."""
    book = world.book(PORT, "berths")
    state = world.state(PORT)
    kept = {hold for hold, until in book.holds.items() if until == "kept"}
    assert kept == {berth.reservation_id for berth in state.berths.values()}
    assert set(book.holds) - kept == set(state.reservations)
    assert book.limit == state.capacity
    assert set(world.timers(PORT)) == {f"berths:{id_}" for id_ in state.reservations}


@forall(st.integers(1, 4), st.lists(st.one_of(commands, jumps), max_size=40))
def test_occupancy_never_exceeds_capacity(
    capacity: int, acts: list[Command[PortKind, Any] | tuple[str, int]]
) -> None:
    """V20 V26 V27 V29 V31 V105 V108: at any version, with any clock, swept or not."""
    world = World(App([port]))
    world.send(PORT, RegisterPort("Rotterdam", capacity, 0, 0))
    for act in acts:
        match act:
            case ("jump", int(minutes)):
                world.clock.advance(timedelta(minutes=minutes))
            case ("advance", int(minutes)):
                world.advance(timedelta(minutes=minutes))
            case Command():
                world.send(PORT, act)
            case _:
                raise AssertionError(act)
        require_true_books(world)

    world.check()
    require_room(world)
