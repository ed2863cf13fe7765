"""The races of the harbour, each driven into on purpose."""

from datetime import timedelta
from typing import Any

import pytest

from docking.messages import (
    ChangeCapacity,
    ClosePort,
    ConfirmDocking,
    Decommission,
    DepartFromPort,
    Docking,
    ExpireReservation,
    NoteDocked,
    NoteUndocked,
    RegisterPort,
    ReserveDocking,
    RevertArrival,
    StartDocking,
    UpdateOperationalStatus,
)
from tests.support.harbour import (
    HOLD,
    LATITUDE,
    LONGITUDE,
    PATIENCE,
    PORT,
    VESSEL,
    dock,
    expiries,
    fill,
    harbour,
    port_of,
    require_agreement,
    until,
    vessel_of,
)
from wherry.engine.decision import Call, Decision
from wherry.engine.specs import CommandSpec
from wherry.testing import START, Clock, SagaRun, World

STEPS = ("reserve", "arrive", "confirm")
TARGETS = {"reserve": PORT, "arrive": VESSEL, "confirm": PORT}
COMMANDS = {"reserve": "ReserveDocking", "arrive": "ArriveAtPort", "confirm": "ConfirmDocking"}


def at_step(world: World, step: str) -> SagaRun[Docking]:
    """A saga that has just asked a step, whose entity has not seen it yet."""
    went = dock(world, run=False)
    until(world, lambda: bool(went.status) and went.steps.get(step) == "running")
    return went


def test_a_confirmation_comes_after_the_reservation_has_ended() -> None:
    """V30 V44 V82: nobody has swept, and the clock decides; the vessel is at sea again."""
    world = harbour()
    went = at_step(world, "confirm")
    world.clock.advance(HOLD)
    world.run()

    assert went.status == "compensated"
    assert went.caller.rejected == "reservation-expired"
    require_agreement(world)


def test_a_confirmation_comes_after_the_sweep() -> None:
    """V30 V44 V50 V96: the saga's clock was swept as well; everything ends as it should."""
    world = harbour()
    went = at_step(world, "confirm")
    world.hold(PORT)
    world.clock.advance(HOLD)
    world.sweep()
    world.release()
    world.run()

    assert went.status == "compensated"
    assert went.caller.rejected == "step-timeout"
    require_agreement(world)


def test_a_sweep_that_came_first_wins_against_the_confirmation() -> None:
    """V30 V44: then the reservation has ended."""
    world = harbour()
    world.send(PORT, ReserveDocking("r1", "v1"))
    world.clock.advance(HOLD)
    world.sweep()

    assert world.send(PORT, ConfirmDocking("r1", "v1")).rejected == "reservation-expired"


def test_another_vessel_confirms() -> None:
    """V30 V82: a reservation is its holder's."""
    world = harbour("v1", "v2")
    world.send(PORT, ReserveDocking("r1", "v1"))

    assert world.send(PORT, ConfirmDocking("r1", "v2")).rejected == "wrong-vessel"
    assert world.send(PORT, ConfirmDocking("r1", "v1")).status == "done"


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("port", ["rotterdam", "europoort"])
def test_two_sagas_for_one_vessel(port: str, seed: int) -> None:
    """V16 V29 V107: at two ports, or twice at one - one docks, the other gives its place back."""
    world = harbour(seed=seed)
    world.send("port/europoort", RegisterPort("Europoort", 2, LATITUDE, LONGITUDE))
    first = dock(world, run=False, id="first")
    second = dock(world, port=port, run=False, id="second")
    world.run()

    assert sorted([first.status, second.status]) == ["compensated", "completed"]
    loser = first if first.status == "compensated" else second
    assert loser.caller.rejected in {"docking-in-progress", "already-docked"}
    require_agreement(world)


@pytest.mark.parametrize("seed", range(3))
def test_hundreds_of_requests_at_once(seed: int) -> None:
    """V27 V29 V105: docked and pending never exceed the capacity."""
    world = harbour(capacity=20, seed=seed, batch=50)
    asked = [world.send(PORT, ReserveDocking(f"r{n}", f"v{n}"), run=False) for n in range(300)]
    world.run()

    codes = [sent.rejected for sent in asked]
    assert codes.count(None) == 20
    assert codes.count("port-at-capacity") == 280


def test_the_port_closes_between_reservation_and_confirmation() -> None:
    """V24 V43: what was promised holds."""
    world = harbour()
    went = at_step(world, "confirm")
    world.send(PORT, ClosePort())

    assert went.status == "completed"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (UpdateOperationalStatus("Maintenance"), "not-operational"),
        (Decommission(), "decommissioned"),
    ],
)
def test_a_vessel_out_of_service_is_asked_to_arrive(
    command: UpdateOperationalStatus | Decommission, code: str
) -> None:
    """V12 V13 V40 V92: refused, and the berth is free again."""
    world = harbour()
    world.send(VESSEL, command)

    assert dock(world).caller.rejected == code
    require_agreement(world)


def test_the_vessel_is_docked_already() -> None:
    """V16 V40: the second saga fails; the first docking stays."""
    world = harbour()
    dock(world)

    assert dock(world).caller.rejected == "already-docked"
    assert port_of(world).docked == ("v1",)
    require_agreement(world)


def test_a_confirmed_reservation_does_not_expire() -> None:
    """V25 V29: its timer is stopped."""
    world = harbour()
    world.send(PORT, ReserveDocking("r1", "v1"))
    world.send(PORT, ConfirmDocking("r1", "v1"))

    world.advance(HOLD)

    assert port_of(world).docked == ("v1",)
    assert expiries(world) == []


def test_a_timer_that_was_on_its_way_does_not_end_a_docking() -> None:
    """V25 V29: confirmed in the last moment, while the message of its timer waits behind it."""
    world = harbour()
    world.send(PORT, ReserveDocking("r1", "v1"))
    end = port_of(world).reservations["r1"].expires_at
    world.send(PORT, ConfirmDocking("r1", "v1"), run=False)
    world.send(PORT, ExpireReservation("r1", end), run=False)

    world.run()

    assert port_of(world).docked == ("v1",)


def test_two_sweepers_and_one_whose_clock_is_wrong() -> None:
    """V25 V28 V94: a timer's message that comes again, or too early, does no harm."""
    world = harbour(capacity=1)
    world.send(PORT, ReserveDocking("r1", "v1"))
    end = port_of(world).reservations["r1"].expires_at
    world.clock.advance(HOLD)
    world.sweep()
    world.sweep()
    world.send(PORT, ReserveDocking("r1", "v1"))
    for _ in range(2):
        world.send(PORT, ExpireReservation("r1", end))

    assert expiries(world) == ["r1"]
    assert list(port_of(world).reservations) == ["r1"]


def test_capacity_is_reduced_below_occupancy() -> None:
    """V20 V27: refused while places are taken, and possible when they are free."""
    world = harbour()
    fill(world)

    assert world.send(PORT, ChangeCapacity(1)).rejected == "capacity-below-occupancy"
    world.clock.advance(HOLD)  # nobody has swept
    assert world.send(PORT, ChangeCapacity(1)).status == "done"


@pytest.mark.parametrize("step", STEPS)
def test_a_handler_fails_at_each_step(step: str) -> None:
    """V33 V44 V107: an error is a dead letter and a failure; what was done is undone."""
    world = harbour()
    spec = world.registry.kinds[TARGETS[step].partition("/")[0]]
    sound = spec.commands[COMMANDS[step]]

    def broken(state: object, command: object, call: Call) -> Decision:
        raise ZeroDivisionError

    spec.commands[COMMANDS[step]] = CommandSpec(sound.name, sound.codec, sound.reply, broken)
    went = dock(world)

    assert went.status == "compensated"
    assert went.caller.rejected == "handler-failed"
    assert [letter["type"] for letter in world.dead] == [COMMANDS[step]]
    world.dead.clear()
    require_agreement(world)


@pytest.mark.parametrize("step", STEPS)
def test_no_answer_comes_at_each_step(step: str) -> None:
    """V33 V49 V96 V107: the step is late; when its outcome is known it is undone."""
    world = harbour()
    went = at_step(world, step)
    world.hold(TARGETS[step])

    world.advance(PATIENCE)
    assert went.status == "compensating"
    assert went.steps[step] == "late"
    world.release()
    world.run()

    assert went.status == "compensated"
    assert went.caller.rejected == "step-timeout"
    assert went.steps[step] == "undone"
    require_agreement(world)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("turns", range(16))
@pytest.mark.parametrize("way", ["cancel", "kill"])
def test_a_saga_is_stopped_at_any_moment(way: str, turns: int, seed: int) -> None:
    """V33 V46 V47 V50 V69 V107 V108: all done or all undone, on both sides, in any order."""
    world = harbour(seed=seed)
    went = dock(world, run=False)
    for _ in range(turns):
        world.step()
    if way == "cancel":
        went.cancel()
    else:
        went.kill()
    world.run()

    require_agreement(world)
    assert went.status in {"completed", "compensated", "failed"}
    docked = went.status == "completed"
    assert port_of(world).docked == (("v1",) if docked else ())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("turns", range(16))
def test_a_vessel_leaves_at_any_moment(turns: int, seed: int) -> None:
    """V10 V31 V107: before, during or after the confirmation - no berth is left for a ghost."""
    world = harbour(seed=seed)
    dock(world, run=False)
    for _ in range(turns):
        world.step()
    left = world.send(VESSEL, DepartFromPort())

    assert left.status == "done" or left.rejected == "not-docked"
    if left.status == "done":
        assert port_of(world).docked == ()
    require_agreement(world)


@pytest.mark.parametrize("turns", range(16))
def test_everything_restarts_at_any_moment(turns: int) -> None:
    """V4 V56 V67 V68: what a turn had not stored is done again, the same way."""
    world = harbour()
    went = dock(world, run=False)
    for _ in range(turns):
        world.step()
    for _ in range(3):
        world.crash()
    world.run()

    assert went.status == "completed"
    require_agreement(world)


def test_a_saga_of_the_same_id_is_the_same_saga() -> None:
    """V59: starting it again does not start it twice."""
    world = harbour("v1", "v2")
    dock(world, id="same")

    again = world.start("docking", StartDocking("v2", "rotterdam"), id="same")

    assert again.caller.rejected == "saga-exists"
    assert vessel_of(world, "v2").port_id is None


def test_the_clock_of_a_test_does_not_go_back() -> None:
    """V2: time only moves forward; who relies on it may."""
    clock = Clock(START)

    with pytest.raises(ValueError, match="back"):
        clock.advance(timedelta(seconds=-1))


@pytest.mark.parametrize(
    "command",
    [RevertArrival("r1"), NoteDocked("rotterdam", "r1"), NoteUndocked("rotterdam", "r1")],
)
def test_nobody_outside_can_speak_for_a_port_or_a_saga(command: Any) -> None:
    """V98: what only the port and the saga may say is refused when somebody else says it."""
    assert harbour().send("vessel/v1", command).rejected == "not-found"
