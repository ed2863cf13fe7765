"""A port: capacity, reservations and berths, told as given, when, then."""

from datetime import timedelta
from typing import Any

import pytest

from docking.messages import (
    CapacityChanged,
    ChangeCapacity,
    ClosePort,
    ConfirmDocking,
    Docking,
    DockingConfirmed,
    DockingReservationExpired,
    ExpireReservation,
    NoteDocked,
    NoteUndocked,
    OpenPort,
    PortClosed,
    PortKind,
    PortOpened,
    PortRegistered,
    RegisterPort,
    Reservation,
    ReserveDocking,
    UndockVessel,
    VesselDockingReserved,
    VesselKind,
    VesselUndocked,
)
from docking.port import Berth, Held, Port, port
from wherry import Command, Event, StartTimer, StopTimer, Tell
from wherry.testing import START, Given, given

END = START + timedelta(minutes=30)
OPENED = PortRegistered("Rotterdam", 2, 51.95, 4.05)
R1 = VesselDockingReserved("r1", "v1", END)
R2 = VesselDockingReserved("r2", "v2", END)
DOCKED = DockingConfirmed("r1", "v1", START)


def rotterdam(*events: Event) -> Given[PortKind, Port]:
    return given(port, OPENED, *events, key="rotterdam")


def test_a_port_is_registered_and_opens() -> None:
    """V19 V20 V24: registration fixes name, place and capacity, and opens the port."""
    empty = given(port, key="rotterdam")

    done = empty.when(RegisterPort("Rotterdam", 2, 51.95, 4.05))

    done.then(OPENED, reply=None)
    assert (done.status, done.state.capacity, done.state.name) == ("open", 2, "Rotterdam")


def test_a_port_is_registered_once() -> None:
    """V19: the second registration changes nothing."""
    rotterdam().when(RegisterPort("Other", 9, 0, 0)).then_rejected("already-registered")


@pytest.mark.parametrize(
    "command",
    [
        OpenPort(), ClosePort(), ChangeCapacity(3), ReserveDocking("r1", "v1"),
        ConfirmDocking("r1", "v1"), ExpireReservation("r1"), UndockVessel("v1"),
    ],
    ids=lambda command: type(command).__name__,
)  # fmt: skip
def test_an_unregistered_port_does_nothing(command: Command[PortKind, Any]) -> None:
    """V19: before it is registered there is no port."""
    given(port).when(command).then_rejected("port-not-registered")


@pytest.mark.parametrize(
    "command",
    [
        RegisterPort("", 2, 0, 0), RegisterPort("x" * 201, 2, 0, 0), RegisterPort("x", 0, 0, 0),
        RegisterPort("x", 1001, 0, 0), RegisterPort("x", 2, 91, 0), RegisterPort("x", 2, 0, -181),
        ReserveDocking("r:1", "v1"), ReserveDocking("r1\n", "v1"), ReserveDocking("", "v1"),
    ],
    ids=repr,
)  # fmt: skip
def test_the_contract_has_limits(command: Command[PortKind, Any]) -> None:
    """V99: capacity 1 to 1000, places on the globe, names up to 200, ids that can be keys."""
    given(port).when(command).then_rejected("invalid")


@pytest.mark.parametrize("seconds", [0, -1, 8 * 24 * 3600])
def test_a_reservation_lasts_more_than_nothing_and_at_most_a_week(seconds: int) -> None:
    """V75: how long a reservation lasts has limits, too."""
    with pytest.raises(ValueError, match="hold_for"):
        ReserveDocking("r1", "v1", timedelta(seconds=seconds))


def test_a_free_berth_is_reserved_for_half_an_hour() -> None:
    """V21 V26 V34 V35 V74 V75 V76: checked, stored with its end, answered with its id."""
    done = rotterdam().when(ReserveDocking("r1", "v1"))

    done.then(R1, reply=Reservation("r1", END, 51.95, 4.05))
    assert done.state.reservations == {"r1": Held("v1", END)}


def test_a_reservation_brings_its_own_end() -> None:
    """V25 V28 V94: a timer is set with the reservation, and stopped when it is docked or free."""
    reserved = rotterdam().when(ReserveDocking("r1", "v1"))
    confirmed = reserved.when(ConfirmDocking("r1", "v1"))
    freed = reserved.when(ExpireReservation("r1"))

    timer = StartTimer("berths:r1", END, ExpireReservation("r1", END))
    assert reserved.timers == (timer,)
    assert confirmed.timers == freed.timers == (StopTimer("berths:r1"),)


def test_a_full_port_refuses() -> None:
    """V27 V36 V87: reserved places count as much as docked ones."""
    full = rotterdam(R1, DOCKED, R2)

    full.when(ReserveDocking("r3", "v3")).then_rejected("port-at-capacity", "Port at capacity")


def test_a_closed_port_refuses() -> None:
    """V24 V36: no new reservation while it is closed."""
    rotterdam(PortClosed()).when(ReserveDocking("r1", "v1")).then_rejected("port-closed")


def test_closing_keeps_what_was_promised() -> None:
    """V24 V43: a port closed between reservation and confirmation still confirms."""
    closed = rotterdam(R1).when(ClosePort())

    closed.then(PortClosed())
    closed.when(ConfirmDocking("r1", "v1")).then(DOCKED)
    closed.when(ReserveDocking("r1", "v1")).then(reply=Reservation("r1", END, 51.95, 4.05))


def test_opening_and_closing_twice_is_once() -> None:
    """V24: what is so already is accepted, and no event tells of it."""
    rotterdam().when(OpenPort()).then()
    rotterdam(PortClosed()).when(ClosePort()).then()
    rotterdam(PortClosed()).when(OpenPort()).then(PortOpened())


def test_the_same_reservation_twice_is_one() -> None:
    """V53 V106: who did not get the reply asks again, and gets the same."""
    again = rotterdam(R1).at(START + timedelta(minutes=5)).when(ReserveDocking("r1", "v1"))

    again.then(reply=Reservation("r1", END, 51.95, 4.05))
    rotterdam(R1).when(ReserveDocking("r1", "v2")).then_rejected("wrong-vessel")
    rotterdam(R1, DOCKED).when(ReserveDocking("r1", "v1")).then_rejected("reservation-used")


def test_a_reservation_becomes_a_docking() -> None:
    """V22 V23 V29 V42 V43 V81 V82 V83 V84: validated, confirmed, answered, and the vessel told."""
    done = rotterdam(R1).when(ConfirmDocking("r1", "v1"))

    done.then(DOCKED, reply=Docking("rotterdam", "v1", "r1", START))
    assert done.state.reservations == {}
    assert done.state.docked == ("v1",)
    assert done.state.berths == {"v1": Berth("r1", START)}
    assert done.sends == (Tell(VesselKind.ref("v1"), NoteDocked("rotterdam", "r1")),)


def test_a_docking_needs_a_reservation() -> None:
    """V30 V82: without one there is nothing to confirm."""
    rotterdam().when(ConfirmDocking("r1", "v1")).then_rejected("no-such-reservation")


def test_a_docking_needs_its_own_reservation() -> None:
    """V30 V82: another vessel than the holder cannot use it."""
    rotterdam(R1).when(ConfirmDocking("r1", "v2")).then_rejected("wrong-vessel")


def test_a_reservation_ends_by_the_clock_not_by_the_sweep() -> None:
    """V30 V31 V82: at its last moment it is over, though nobody has swept."""
    held = rotterdam(R1)

    held.at(END - timedelta(milliseconds=1)).when(ConfirmDocking("r1", "v1")).reply  # noqa: B018
    held.at(END).when(ConfirmDocking("r1", "v1")).then_rejected("reservation-expired")


def test_a_swept_reservation_cannot_be_confirmed() -> None:
    """V25 V30 V82: after the sweep it is not there any more, and the answer is the same."""
    swept = rotterdam(R1).at(END).when(ExpireReservation("r1", END))

    swept.then(DockingReservationExpired("r1", "v1"))
    swept.when(ConfirmDocking("r1", "v1")).then_rejected("reservation-expired")


def test_a_port_remembers_only_the_last_reservations_that_ended() -> None:
    """V82: one that ended long ago is as good as none."""
    events = [event for n in range(20) for event in (_reserved(n), _expired(n))]
    late = rotterdam(*events)

    late.when(ConfirmDocking("r19", "v1")).then_rejected("reservation-expired")
    late.when(ConfirmDocking("r0", "v1")).then_rejected("no-such-reservation")


def _reserved(number: int) -> VesselDockingReserved:
    return VesselDockingReserved(f"r{number}", "v1", END)


def _expired(number: int) -> DockingReservationExpired:
    return DockingReservationExpired(f"r{number}", "v1")


def test_confirming_twice_is_once() -> None:
    """V106: the second confirmation gets the first answer, and no event tells of it."""
    later = rotterdam(R1, DOCKED).at(END).when(ConfirmDocking("r1", "v1"))

    later.then(reply=Docking("rotterdam", "v1", "r1", START))


def test_a_vessel_takes_one_berth() -> None:
    """V29 V106: a docked vessel cannot confirm another reservation, which would lose a berth."""
    other = VesselDockingReserved("r2", "v1", END)

    rotterdam(R1, DOCKED, other).when(ConfirmDocking("r2", "v1")).then_rejected("already-docked")


def test_expiring_gives_the_place_back() -> None:
    """V31 V92: the place is free at once, for anybody."""
    freed = rotterdam(R1, R2).when(ExpireReservation("r1"))

    freed.then(DockingReservationExpired("r1", "v1"))
    freed.when(ReserveDocking("r3", "v3")).then(VesselDockingReserved("r3", "v3", END))


@pytest.mark.parametrize("events", [(), (R1, DOCKED), (R1, DockingReservationExpired("r1", "v1"))])
def test_expiring_what_is_not_pending_does_nothing(events: tuple[Event, ...]) -> None:
    """V47 V91: unknown, docked or expired already - accepted, so an undo can always be sent."""
    for command in (ExpireReservation("r1"), ExpireReservation("r1", END)):
        rotterdam(*events).when(command).then()


def test_a_late_timer_does_not_end_a_later_reservation() -> None:
    """V25 V29: a timer on its way, of a reservation whose name was given again, is too late."""
    again = VesselDockingReserved("r1", "v1", END + timedelta(minutes=1))

    held = rotterdam(R1, DockingReservationExpired("r1", "v1"), again)
    held.at(END).when(ExpireReservation("r1", END)).then()


def test_a_full_port_first_ends_what_is_over() -> None:
    """V26 V31 V95: nobody is refused because the sweep is late."""
    full = rotterdam(R1, R2).at(END)

    reserved = full.when(ReserveDocking("r3", "v3"))
    reserved.then(
        DockingReservationExpired("r1", "v1"),
        DockingReservationExpired("r2", "v2"),
        VesselDockingReserved("r3", "v3", END + timedelta(minutes=30)),
    )


def test_a_name_whose_time_is_over_can_be_given_again() -> None:
    """V31: the old reservation ends in the same decision."""
    again = rotterdam(R1).at(END).when(ReserveDocking("r1", "v2"))

    until = END + timedelta(minutes=30)
    again.then(DockingReservationExpired("r1", "v1"), VesselDockingReserved("r1", "v2", until))


def test_capacity_can_grow_and_shrink() -> None:
    """V20: up to 1000, and down to what is taken."""
    rotterdam().when(ChangeCapacity(1000)).then(CapacityChanged(1000))
    rotterdam(R1).when(ChangeCapacity(1)).then(CapacityChanged(1))
    rotterdam(R1).when(ChangeCapacity(2)).then()


def test_capacity_cannot_shrink_below_what_is_taken() -> None:
    """V20 V29: neither docked vessels nor good reservations are pushed out."""
    rotterdam(R1, DOCKED, R2).when(ChangeCapacity(1)).then_rejected("capacity-below-occupancy")


def test_capacity_shrinks_over_what_has_ended() -> None:
    """V31: a reservation whose time is over is no occupancy."""
    shrunk = rotterdam(R1, DOCKED, R2).at(END).when(ChangeCapacity(1))

    shrunk.then(DockingReservationExpired("r2", "v2"), CapacityChanged(1))


def test_undocking_frees_the_berth() -> None:
    """V23 V29: the berth is free, and the vessel is told."""
    freed = rotterdam(R1, DOCKED).when(UndockVessel("v1"))

    freed.then(VesselUndocked("v1", "r1"))
    assert freed.state.docked == ()
    assert freed.state.berths == {}
    assert freed.sends == (Tell(VesselKind.ref("v1"), NoteUndocked("rotterdam", "r1")),)


def test_only_docked_vessels_are_undocked() -> None:
    """V23: a vessel with a reservation only is not docked."""
    rotterdam(R1).when(UndockVessel("v1")).then_rejected("not-docked-here")


def test_undocking_one_docking_leaves_a_later_one() -> None:
    """V29 V106: a message about an old docking, late, does not undock the vessel again."""
    rotterdam(R1, DOCKED).when(UndockVessel("v1", "r0")).then()
    rotterdam().when(UndockVessel("v1", "r0")).then()


def test_a_duration_of_any_precision_survives_storage() -> None:
    """V65: what is remembered is what is stored - times are kept to the millisecond."""
    done = rotterdam().when(ReserveDocking("r1", "v1", timedelta(microseconds=1_234_567)))

    assert done.reply.expires_at == START + timedelta(milliseconds=1_234)
