"""Ports, vessels and sagas together, in memory: the stories of the harbour from end to end."""

from datetime import timedelta
from typing import Any, cast

import pytest

from docking import app, docking
from docking.messages import (
    ClosePort,
    ConfirmDocking,
    DepartFromPort,
    Docking,
    DockingConfirmed,
    ExpireReservation,
    RegisterPort,
    RegisterVessel,
    ReserveDocking,
    StartDocking,
    UndockVessel,
    UpdatePosition,
    VesselArrived,
    VesselDockingReserved,
)
from tests.support.harbour import (
    HOLD,
    MINUTE,
    PORT,
    VESSEL,
    apart,
    dock,
    expiries,
    fill,
    harbour,
    port_of,
    require_agreement,
    vessel_of,
)
from wherry.engine.envelope import Answer
from wherry.testing import START, World


def test_a_vessel_docks() -> None:
    """V32 V33 V45 V71 V72 V85 V86: the client gets the docking; both sides know of it."""
    world = harbour()

    went = dock(world, id="d1")

    assert went.status == "completed"
    assert went.result == Docking("rotterdam", "v1", "d1", START)
    assert went.steps == {"reserve": "done", "arrive": "done", "confirm": "done"}
    assert port_of(world).docked == ("v1",)
    assert vessel_of(world).port_id == "rotterdam"
    require_agreement(world)


def test_the_log_tells_the_story() -> None:
    """V14 V66 V79 V109: who, what, when and why, under one correlation id."""
    world = harbour()

    went = dock(world, id="d1")

    of_port = [logged for logged in world.log(PORT) if logged.corr == went.caller.id]
    of_vessel = [logged for logged in world.log(VESSEL) if logged.corr == went.caller.id]
    assert [type(logged.event) for logged in of_port] == [VesselDockingReserved, DockingConfirmed]
    assert isinstance(of_vessel[0].event, VesselArrived)
    assert all(logged.cause and logged.at == START for logged in of_port + of_vessel)
    assert [logged.version for logged in world.log(PORT)] == [1, 2, 3]


def test_every_change_is_an_event_and_state_is_their_fold() -> None:
    """V63 V64 V65: after all kinds of dockings, each log tells exactly the state that is kept."""
    world = harbour("v1", "v2", "v3", capacity=1)
    for vessel in ("v1", "v2", "v3"):
        dock(world, vessel)
    world.send(VESSEL, DepartFromPort())
    dock(world, "v2")

    require_agreement(world)
    for address in world.entities():
        assert len(world.events(address)) == world.version(address) > 0


def test_entities_are_there_when_somebody_speaks_of_them() -> None:
    """V55 V57: nothing has to create them, and nothing ends them."""
    world = World(app)

    assert world.send("port/new", ReserveDocking("r1", "v1")).rejected == "port-not-registered"
    assert world.entities() == []
    world.send("port/new", RegisterPort("New", 1, 0, 0))
    world.advance(timedelta(days=365))
    assert world.send("port/new", ReserveDocking("r1", "v1")).status == "done"


def test_there_is_one_port_however_many_speak_to_it() -> None:
    """V1 V2 V58 V106: all its messages go to one place, and each decision builds on the last."""
    for seed in range(10):
        world = harbour("v1", "v2", "v3", "v4", capacity=3, seed=seed)
        for vessel in ("v1", "v2", "v3", "v4"):
            dock(world, vessel, id=f"saga-of-{vessel}", run=False)
        world.run()

        assert [logged.version for logged in world.log(PORT)] == list(
            range(1, world.version(PORT) + 1)
        )
        assert len(port_of(world).docked) == 3
        require_agreement(world)


def test_states_are_not_shared() -> None:
    """V1 V3 V106: what happens to one port or vessel says nothing to another."""
    world = harbour("v1", "v2")
    world.send("port/antwerp", RegisterPort("Antwerp", 1, 51.2, 4.4))
    before = world.state("port/antwerp"), world.state("vessel/v2")

    dock(world)

    assert (world.state("port/antwerp"), world.state("vessel/v2")) == before


def test_after_a_crash_everything_is_as_before() -> None:
    """V4 V56 V67 V68: a worker dies before every commit of a docking; nothing is lost or twice."""
    world = harbour()
    plain = harbour()
    dock(plain, id="d1")

    went = dock(world, id="d1", run=False)
    while world.crash():
        world.step()

    assert went.status == "completed"
    for address in plain.entities():
        assert world.events(address) == plain.events(address), address
        assert world.replay(address) == plain.state(address)


def test_each_docking_has_a_saga_of_its_own() -> None:
    """V59 V60 V62 V72 V86: made for one docking, and over with it."""
    world = harbour("v1", "v2")

    first, second = dock(world, "v1"), dock(world, "v2")

    assert first.id != second.id
    assert {first.status, second.status} == {"completed"}
    assert world.timers(first.address) == {}
    first.cancel()
    world.run()
    assert first.status == "completed"


def test_the_port_is_full() -> None:
    """V27 V36 V87 V88 V89: the client hears it at once, and nothing is sent to undo nothing."""
    world = harbour()
    fill(world)
    before = world.version(PORT)

    went = dock(world)

    assert went.status == "compensated"
    assert went.caller.rejected == "port-at-capacity"
    assert went.caller.problem is not None
    assert went.caller.problem.detail == "Port at capacity"
    assert went.caller.problem.saga_id == went.id
    assert went.steps == {"reserve": "rejected"}
    assert world.version(PORT) == before
    assert world.clock.now == START


def test_the_port_is_closed() -> None:
    """V24 V36: as good as full."""
    world = harbour()
    world.send(PORT, ClosePort())

    assert dock(world).caller.rejected == "port-closed"


def test_the_vessel_is_elsewhere() -> None:
    """V40 V46 V47 V90 V91 V92 V93: its reservation is given back, and the client is told why."""
    world = harbour(capacity=1)
    world.send(VESSEL, UpdatePosition(0, 0))

    went = dock(world)

    assert went.status == "compensated"
    assert went.caller.rejected == "vessel-not-at-port"
    assert went.caller.problem is not None
    assert went.caller.problem.detail == "Vessel not at port location"
    assert expiries(world) == [went.id]
    assert world.send(PORT, ReserveDocking("r2", "v2")).status == "done"


def test_a_saga_that_dies_leaves_a_reservation_that_ends() -> None:
    """V25 V28 V31 V69 V94 V95 V102 V104: by itself, within a sweep of its time."""
    world = harbour(capacity=1)
    world.send(PORT, ReserveDocking("of-a-dead-saga", "v1"))

    world.advance(HOLD - MINUTE)
    assert port_of(world).reservations
    world.advance(MINUTE)
    assert port_of(world).reservations == {}
    assert dock(world).status == "completed"


def test_a_saga_that_hangs_ends_itself() -> None:
    """V49 V50 V70 V95 V96: the vessel answers nothing; the reservation does not wait for it."""
    world = harbour()
    world.hold(VESSEL)
    went = dock(world)
    assert went.steps == {"reserve": "done", "arrive": "running"}

    world.advance(timedelta(seconds=30))
    assert went.status == "compensating"
    world.advance(HOLD)
    assert port_of(world).reservations == {}

    world.release()
    world.run()
    assert went.status == "compensated"
    assert went.caller.rejected == "step-timeout"
    require_agreement(world)


def test_a_worker_that_comes_back_takes_the_saga_up_again() -> None:
    """V68 V70: the seed's saga is lost with its process; this one goes on where it was."""
    world = harbour()
    world.hold(PORT)
    went = dock(world)
    assert went.steps == {"reserve": "running"}

    world.clock.advance(timedelta(seconds=20))
    world.release()
    world.run()

    assert went.status == "completed"


def test_a_vessel_departs_and_its_berth_is_free() -> None:
    """V10 V17 V23: from both sides; and it may dock again."""
    world = harbour(capacity=1)
    dock(world)

    assert world.send(VESSEL, DepartFromPort()).status == "done"
    assert port_of(world).docked == ()
    assert world.send(VESSEL, DepartFromPort()).rejected == "not-docked"
    assert dock(world).status == "completed"
    assert world.send(PORT, UndockVessel("v1")).status == "done"
    assert world.status(VESSEL) == "AtSea"
    require_agreement(world)


def test_answers_come_as_results_not_as_messages() -> None:
    """V101: nobody can put an answer into a saga's mailbox; one that is not awaited is dropped."""
    world = harbour()
    world.hold(PORT)
    went = dock(world)
    forged = cast("Any", Answer("ReserveDocking", "reserve", "done"))

    assert world.send(went.address, forged).rejected == "not-found"
    world.release()
    world.run()
    assert went.status == "completed"


def test_wrong_messages_are_refused() -> None:
    """V97 V98: a message for another kind, one that nobody knows, a saga nobody knows."""
    world = harbour()

    # By its address as text, mypy cannot know the kind; tests/typing shows that it knows refs.
    assert world.send(PORT, RegisterVessel("Aurora")).rejected == "not-found"
    assert world.send("pier/1", RegisterVessel("Aurora")).rejected == "not-found"
    assert world.send("port/no:key", ClosePort()).rejected == "not-found"
    assert world.start("undocking", StartDocking("v1", "p1")).caller.rejected == "not-found"
    bad = world.start(docking, StartDocking("no:key", "rotterdam"))
    assert bad.caller.rejected == "invalid"


def test_the_protocols_are_as_written_down() -> None:
    """V97 V99: the commands of each kind, by name."""
    kinds = World(app).registry.kinds
    public = {
        kind: {name for name, command in spec.commands.items() if not command.internal}
        for kind, spec in kinds.items()
    }

    assert public == {
        "port": {
            "RegisterPort", "OpenPort", "ClosePort", "ChangeCapacity", "ReserveDocking",
            "ConfirmDocking", "ExpireReservation", "UndockVessel",
        },
        "vessel": {
            "RegisterVessel", "UpdatePosition", "ArriveAtPort", "DepartFromPort",
            "UpdateOperationalStatus", "Decommission",
        },
        "saga.docking": {"Start", "Cancel", "Kill", "Retry"},
    }  # fmt: skip


def test_a_command_sent_twice_is_applied_once() -> None:
    """V3 V106: by its id; the second gets the first answer."""
    world = harbour()

    first = world.send(PORT, ReserveDocking("r1", "v1"), id="same")
    again = world.send(PORT, ReserveDocking("r1", "v1"), id="same")

    assert again.reply == first.reply
    assert len(port_of(world).reservations) == 1


@pytest.mark.parametrize("seed", range(25))
def test_many_dockings_at_once_agree_in_the_end(seed: int) -> None:
    """V103 V105 V107 V108: in any order of turns, every berth is somebody's, and only theirs."""
    names = [f"v{n}" for n in range(1, 9)]
    world = harbour(*names, capacity=3, seed=seed)
    for n, name in enumerate([*names, *names]):
        dock(world, name, id=f"d{n}", run=False)
        world.step()
    world.run()

    assert len(port_of(world).docked) == 3
    require_agreement(world)


def test_nobody_has_to_help() -> None:
    """V104 V108: whatever was left open, after the longest of all times nothing is held."""
    world = harbour("v1", "v2")
    world.send(PORT, ReserveDocking("r2", "v2"))
    world.hold(VESSEL)
    dock(world, id=apart(world))
    world.release()
    world.advance(timedelta(hours=1))

    assert port_of(world).reservations == {}
    assert world.next_due() is None
    require_agreement(world)


def test_confirm_and_expire_reach_the_port_by_hand_too() -> None:
    """V30 V51 V53: what the saga uses is open to any client."""
    world = harbour()
    world.send(PORT, ReserveDocking("r1", "v9"))

    assert world.send(PORT, ConfirmDocking("r1", "v9")).reply.docked_at == START
    assert world.send(PORT, ExpireReservation("r1")).status == "done"
    assert port_of(world).docked == ("v9",)
