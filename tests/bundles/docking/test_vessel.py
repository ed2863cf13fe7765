"""A vessel: moving, arriving, departing, and being out of service."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from docking.geo import AT_PORT_KM, Position, distance_km
from docking.messages import (
    ArrivalReverted,
    ArriveAtPort,
    Decommission,
    DepartFromPort,
    DockingCompleted,
    ExpireReservation,
    NoteDocked,
    NoteUndocked,
    OperationalStatusChanged,
    PortKind,
    PositionUpdated,
    RegisterVessel,
    RevertArrival,
    UndockVessel,
    UpdateOperationalStatus,
    UpdatePosition,
    VesselArrived,
    VesselDecommissioned,
    VesselDeparted,
    VesselKind,
    VesselRegistered,
)
from docking.vessel import LIFECYCLE, Vessel, vessel
from wherry import Command, Event, Tell
from wherry.testing import START, Given, given

NEW = VesselRegistered("Aurora")
AT_PORT = PositionUpdated(51.95, 4.05)
ARRIVED = VesselArrived("rotterdam", "r1")
DOCKED = DockingCompleted("rotterdam", "r1")
MAINTENANCE = OperationalStatusChanged("Maintenance")
ARRIVE = ArriveAtPort("rotterdam", "r1", 51.95, 4.05)
ROTTERDAM = PortKind.ref("rotterdam")


def aurora(*events: Event) -> Given[VesselKind, Vessel]:
    return given(vessel, NEW, *events, key="v1")


def test_a_vessel_is_registered_with_its_identity() -> None:
    """V5 V6 V11: registered once, active and at sea."""
    done = given(vessel).when(RegisterVessel("Aurora", "123456789", "1234567"))

    done.then(VesselRegistered("Aurora", "123456789", "1234567"), reply=None)
    assert done.status == "AtSea"
    done.when(RegisterVessel("Other")).then_rejected("already-registered")


@pytest.mark.parametrize(
    "command",
    [
        RegisterVessel(""), RegisterVessel("x" * 201), RegisterVessel("x", mmsi="12345678"),
        RegisterVessel("x", mmsi="12345678x"), RegisterVessel("x", mmsi="123456789\n"),
        RegisterVessel("x", imo="123456"), UpdatePosition(-90.5, 0), UpdatePosition(0, 180.5),
        UpdateOperationalStatus("Sunk"),  # type: ignore[arg-type]
    ],
    ids=repr,
)  # fmt: skip
def test_the_contract_has_limits(command: Command[VesselKind, Any]) -> None:
    """V6 V99: names, MMSI of 9 digits, IMO of 7, places on the globe, two operational statuses."""
    aurora().when(command).then_rejected("invalid")


@pytest.mark.parametrize(
    "command",
    [UpdatePosition(0, 0), ARRIVE, DepartFromPort(), UpdateOperationalStatus("Active"),
     Decommission()],
    ids=lambda command: type(command).__name__,
)  # fmt: skip
def test_an_unregistered_vessel_does_nothing(command: Command[VesselKind, Any]) -> None:
    """V6: before it is registered there is no vessel."""
    given(vessel).when(command).then_rejected("vessel-not-registered")


@pytest.mark.parametrize(
    "command",
    [UpdatePosition(0, 0), ARRIVE, DepartFromPort(), UpdateOperationalStatus("Active")],
    ids=lambda command: type(command).__name__,
)
def test_a_decommissioned_vessel_does_nothing(command: Command[VesselKind, Any]) -> None:
    """V13: out of service is for good."""
    aurora(VesselDecommissioned()).when(command).then_rejected("decommissioned")


def test_a_vessel_moves_freely() -> None:
    """V7 V15: from any position to any other."""
    moved = aurora(AT_PORT).when(UpdatePosition(-33.9, 18.4))

    moved.then(PositionUpdated(-33.9, 18.4))
    assert moved.state.position == Position(-33.9, 18.4)


def test_a_docked_vessel_does_not_move() -> None:
    """V15 V16: it has to depart first, docked for good or only just arrived."""
    aurora(AT_PORT, ARRIVED, DOCKED).when(UpdatePosition(0, 0)).then_rejected("already-docked")
    aurora(AT_PORT, ARRIVED).when(UpdatePosition(0, 0)).then_rejected("docking-in-progress")


def test_a_vessel_in_maintenance_can_be_towed() -> None:
    """V12 V15: its position is still known."""
    aurora(MAINTENANCE).when(UpdatePosition(1, 2)).then(PositionUpdated(1, 2))


def test_an_arrival_is_checked_and_recorded() -> None:
    """V9 V16 V38 V39 V77 V78 V79 V80: at its port, with its reservation, and answered."""
    done = aurora(AT_PORT).when(ARRIVE)

    done.then(ARRIVED, reply=None)
    assert (done.status, done.state.port_id, done.state.docking) == ("Docked", "rotterdam", "r1")


@pytest.mark.parametrize("events", [(), (PositionUpdated(52.1, 4.05),)], ids=["unknown", "far"])
def test_a_vessel_elsewhere_cannot_arrive(events: tuple[Event, ...]) -> None:
    """V40 V78 V90: more than 10 km away, or nobody knows where."""
    refused = aurora(*events).when(ARRIVE)

    refused.then_rejected("vessel-not-at-port", "Vessel not at port location")


def test_ten_kilometres_are_near_enough() -> None:
    """V78: one minute of latitude is 1.85 km, so five are near enough and six are not."""
    near, far = PositionUpdated(51.95 + 5 / 60, 4.05), PositionUpdated(51.95 + 6 / 60, 4.05)

    aurora(near).when(ARRIVE).then(ARRIVED)
    aurora(far).when(ARRIVE).then_rejected("vessel-not-at-port")


def test_distance_goes_over_the_sphere() -> None:
    """V7: also across the date line and over the poles."""
    across = distance_km(Position(0, 179.95), Position(0, -179.95))
    assert across == pytest.approx(11.12, abs=0.01)
    assert distance_km(Position(90, 0), Position(90, 120)) < AT_PORT_KM
    assert distance_km(Position(0, 0), Position(0, 180)) == pytest.approx(20015, abs=1)


def test_a_vessel_in_maintenance_cannot_arrive() -> None:
    """V12 V40: it is not operational."""
    aurora(AT_PORT, MAINTENANCE).when(ARRIVE).then_rejected("not-operational")


def test_one_docking_at_a_time() -> None:
    """V16 V78: a second one is refused while the first is open, and after it is done."""
    other = ArriveAtPort("antwerp", "r2", 51.95, 4.05)

    aurora(AT_PORT, ARRIVED).when(other).then_rejected("docking-in-progress")
    aurora(AT_PORT, ARRIVED, DOCKED).when(other).then_rejected("already-docked")


def test_arriving_twice_with_one_reservation_is_once() -> None:
    """V53 V106: who did not get the reply asks again."""
    aurora(AT_PORT, ARRIVED).when(ARRIVE).then(reply=None)
    aurora(AT_PORT, ARRIVED, DOCKED).when(ARRIVE).then(reply=None)


def test_an_arrival_without_docking_is_undone() -> None:
    """V44 V46: the vessel is at sea again, and free for another docking."""
    reverted = aurora(AT_PORT, ARRIVED).when(RevertArrival("r1"))

    reverted.then(ArrivalReverted("rotterdam", "r1"))
    assert (reverted.status, reverted.state.port_id, reverted.state.docking) == (
        "AtSea",
        None,
        None,
    )
    reverted.when(RevertArrival("r1")).then()


@pytest.mark.parametrize("events", [(), (AT_PORT, ARRIVED, DOCKED)], ids=["at sea", "docked"])
def test_only_the_docking_in_progress_is_undone(events: tuple[Event, ...]) -> None:
    """V46: never a confirmed one, never another one."""
    aurora(*events).when(RevertArrival("r1")).then()
    aurora(AT_PORT, ARRIVED).when(RevertArrival("r0")).then()
    given(vessel).when(RevertArrival("r1")).then()


def test_the_port_ends_the_docking_procedure() -> None:
    """V22 V16: once it has confirmed, no docking is in progress any more."""
    done = aurora(AT_PORT, ARRIVED).when(NoteDocked("rotterdam", "r1"))

    done.then(DOCKED)
    assert (done.status, done.state.docking, done.state.port_id) == ("Docked", None, "rotterdam")
    done.when(NoteDocked("rotterdam", "r1")).then()
    given(vessel).when(NoteDocked("rotterdam", "r1")).then()


def test_a_docked_vessel_departs() -> None:
    """V10: it is at sea, and the port is told to free its berth."""
    left = aurora(AT_PORT, ARRIVED, DOCKED).when(DepartFromPort())

    left.then(VesselDeparted("rotterdam", "r1"))
    assert (left.status, left.state.port_id) == ("AtSea", None)
    assert left.sends == (Tell(ROTTERDAM, UndockVessel("v1", "r1")),)


def test_who_leaves_before_the_confirmation_gives_the_place_back_either_way() -> None:
    """V10 V31 V47: whatever the port has done by then, one of the two messages fits."""
    left = aurora(AT_PORT, ARRIVED).when(DepartFromPort())

    expire, undock = ExpireReservation("r1"), UndockVessel("v1", "r1")
    assert left.sends == (Tell(ROTTERDAM, expire), Tell(ROTTERDAM, undock))


@pytest.mark.parametrize("events", [(), (MAINTENANCE,)], ids=["at sea", "in maintenance"])
def test_a_vessel_cannot_depart_unless_docked(events: tuple[Event, ...]) -> None:
    """V17: there is nothing to depart from."""
    aurora(*events).when(DepartFromPort()).then_rejected("not-docked")


def test_the_port_can_undock_a_vessel() -> None:
    """V10 V23: the vessel follows, unless it has left or docked again since."""
    docked = aurora(AT_PORT, ARRIVED, DOCKED)

    docked.when(NoteUndocked("rotterdam", "r1")).then(VesselDeparted("rotterdam", "r1"))
    docked.when(NoteUndocked("rotterdam", "r0")).then()
    docked.when(NoteUndocked("antwerp", "r1")).then()
    given(vessel).when(NoteUndocked("rotterdam", "r1")).then()


def test_operational_status_changes_at_sea_only() -> None:
    """V11 V12: into maintenance and back; a docked vessel departs first."""
    in_yard = aurora().when(UpdateOperationalStatus("Maintenance"))

    in_yard.then(MAINTENANCE)
    assert in_yard.status == "Maintenance"
    in_yard.when(UpdateOperationalStatus("Maintenance")).then()
    assert in_yard.when(UpdateOperationalStatus("Active")).status == "AtSea"
    docked = aurora(AT_PORT, ARRIVED, DOCKED)
    docked.when(UpdateOperationalStatus("Maintenance")).then_rejected("already-docked")


def test_a_vessel_is_decommissioned_once() -> None:
    """V13: from sea or from maintenance, not while it is docked."""
    gone = aurora(MAINTENANCE).when(Decommission())

    gone.then(VesselDecommissioned())
    assert gone.status == "Decommissioned"
    gone.when(Decommission()).then()
    aurora(AT_PORT, ARRIVED, DOCKED).when(Decommission()).then_rejected("already-docked")
    aurora(AT_PORT, ARRIVED).when(Decommission()).then_rejected("docking-in-progress")


def test_everything_that_happened_is_history() -> None:
    """V8 V14 V18: every movement and status change is an event; the state is their fold."""
    at = START
    sailed = aurora()
    history: list[Event] = [NEW]
    for command in (
        UpdatePosition(50, 3), UpdatePosition(51.95, 4.05), ARRIVE, NoteDocked("rotterdam", "r1"),
        DepartFromPort(), UpdateOperationalStatus("Maintenance"), Decommission(),
    ):  # fmt: skip
        at += timedelta(hours=1)
        outcome = sailed.at(at).when(command)
        history += outcome.events
        sailed = outcome

    assert history == [
        NEW, PositionUpdated(50, 3), AT_PORT, ARRIVED, DOCKED, VesselDeparted("rotterdam", "r1"),
        MAINTENANCE, VesselDecommissioned(),
    ]  # fmt: skip
    assert given(vessel, *history).state == sailed.state


def test_only_the_table_of_statuses_is_possible() -> None:
    """V5 V11 V12 V13: of all pairs, those that some history can reach are those of the table."""
    histories = {
        "": None,
        "AtSea": aurora(AT_PORT),
        "Docked": aurora(AT_PORT, ARRIVED, DOCKED),
        "Maintenance": aurora(AT_PORT, MAINTENANCE),
        "Decommissioned": aurora(VesselDecommissioned()),
    }
    commands: list[Command[VesselKind, Any]] = [
        RegisterVessel("Aurora"), ARRIVE, DepartFromPort(), Decommission(),
        UpdateOperationalStatus("Active"), UpdateOperationalStatus("Maintenance"),
    ]  # fmt: skip
    seen = set()
    for (status, history), command in product(histories.items(), commands):
        after = (history or given(vessel)).when(command)
        if after.rejected is None and after.status != status:
            seen.add((status, after.status))

    assert seen == {(old, new) for old, news in LIFECYCLE.items() for new in news}
