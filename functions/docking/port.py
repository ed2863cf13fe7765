"""A port: berths that are reserved for a time, then docked at, then free again."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

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
from wherry import Accepted, Context, Entity, Pool, Rejected, Tell, accept

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Held:
    """A reservation; it is good as long as `expires_at` lies ahead, whatever timers did."""

    vessel_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Berth:
    """Since when a docked vessel lies here, and with which reservation it came."""

    reservation_id: str
    docked_at: datetime


@dataclass(frozen=True, slots=True)
class Port:
    """`docked` lists the vessels of `berths`, which is there to free the right place.

    `expired` has the last few reservations that ended, so that who confirms too late is told so
    whether or not the timer was there first.
    """

    status: str = ""
    name: str = ""
    capacity: int = 0
    latitude: float = 0.0
    longitude: float = 0.0
    reservations: dict[str, Held] = field(default_factory=dict)
    docked: tuple[str, ...] = ()
    berths: dict[str, Berth] = field(default_factory=dict)
    expired: tuple[str, ...] = ()

    @property
    def taken(self) -> int:
        """How many places are reserved or docked at."""
        return len(self.reservations) + len(self.berths)

    def ended(self, now: datetime) -> Iterator[DockingReservationExpired]:
        """What has happened to the reservations whose time is over."""
        for id_, held in self.reservations.items():
            if held.expires_at <= now:
                yield DockingReservationExpired(id_, held.vessel_id)


#: Ended reservations that a port remembers.
REMEMBERED = 16

LIFECYCLE = {"": ["open"], "open": ["closed"], "closed": ["open"]}

berths = Pool("berths", most=1000, full="port-at-capacity", below="capacity-below-occupancy")
berths.limited_by(PortRegistered, lambda e: e.capacity)
berths.limited_by(CapacityChanged, lambda e: e.capacity)
berths.held_by(
    VesselDockingReserved,
    lambda e: e.reservation_id,
    until=lambda e: e.expires_at,
    then=lambda e: ExpireReservation(e.reservation_id, due=e.expires_at),
)
berths.kept_by(DockingConfirmed, lambda e: e.reservation_id)
berths.freed_by(DockingReservationExpired, lambda e: e.reservation_id)
berths.freed_by(VesselUndocked, lambda e: e.reservation_id)

port = Entity(PortKind, Port(), lifecycle=LIFECYCLE, pools=[berths])


# -- being a port --------------------------------------------------------------------------------


@port.handles(RegisterPort)
def register(port: Port, command: RegisterPort, ctx: Context) -> Accepted[None]:
    if port.status:
        raise Rejected("already-registered", f"{ctx.key} is registered as {port.name}")
    event = PortRegistered(command.name, command.capacity, command.latitude, command.longitude)
    return accept(command, event, reply=None)


@port.handles(OpenPort)
def open_port(port: Port, command: OpenPort, ctx: Context) -> Accepted[None]:
    _require_registered(port, ctx)
    events = [PortOpened()] if port.status == "closed" else []
    return accept(command, *events, reply=None)


@port.handles(ClosePort)
def close(port: Port, command: ClosePort, ctx: Context) -> Accepted[None]:
    _require_registered(port, ctx)
    events = [PortClosed()] if port.status == "open" else []
    return accept(command, *events, reply=None)


@port.handles(ChangeCapacity)
def change_capacity(port: Port, command: ChangeCapacity, ctx: Context) -> Accepted[None]:
    _require_registered(port, ctx)
    if command.capacity == port.capacity:
        return accept(command, reply=None)
    ended = port.ended(ctx.now) if command.capacity < port.taken else ()
    return accept(command, *ended, CapacityChanged(command.capacity), reply=None)


# -- giving places -------------------------------------------------------------------------------


@port.handles(ReserveDocking)
def reserve(port: Port, command: ReserveDocking, ctx: Context) -> Accepted[Reservation]:
    _require_registered(port, ctx)
    held = port.reservations.get(command.reservation_id)
    if held is not None and held.expires_at > ctx.now:
        _require_same_vessel(held, command)
        return accept(command, reply=_promise(port, command, held.expires_at))
    _require_open(port, ctx)
    _require_unused(port, command)
    ended = tuple(port.ended(ctx.now)) if held or port.taken >= port.capacity else ()
    if port.taken - len(ended) >= port.capacity:
        raise Rejected("port-at-capacity", "Port at capacity")
    until = _to_milliseconds(ctx.now + command.hold_for)
    reserved = VesselDockingReserved(command.reservation_id, command.vessel_id, until)
    return accept(command, *ended, reserved, reply=_promise(port, command, until))


@port.handles(ConfirmDocking)
def confirm(port: Port, command: ConfirmDocking, ctx: Context) -> Accepted[Docking]:
    _require_registered(port, ctx)
    berth = port.berths.get(command.vessel_id)
    if berth is not None and berth.reservation_id == command.reservation_id:
        return accept(command, reply=_docking(command, ctx.key, berth.docked_at))
    _require_good_reservation(port, command, ctx)
    if berth is not None:
        raise Rejected("already-docked", f"{command.vessel_id} lies in another berth of {ctx.key}")
    told = NoteDocked(ctx.key, command.reservation_id)
    return accept(
        command,
        DockingConfirmed(command.reservation_id, command.vessel_id, ctx.now),
        reply=_docking(command, ctx.key, ctx.now),
        sends=(Tell(VesselKind.ref(command.vessel_id), told),),
    )


@port.handles(ExpireReservation)
def expire(port: Port, command: ExpireReservation, ctx: Context) -> Accepted[None]:
    _require_registered(port, ctx)
    held = port.reservations.get(command.reservation_id)
    # A timer that was already on its way must not end a later reservation of the same name.
    if held is None or command.due not in {None, held.expires_at}:
        return accept(command, reply=None)
    event = DockingReservationExpired(command.reservation_id, held.vessel_id)
    return accept(command, event, reply=None)


@port.handles(UndockVessel)
def undock(port: Port, command: UndockVessel, ctx: Context) -> Accepted[None]:
    _require_registered(port, ctx)
    berth = port.berths.get(command.vessel_id)
    if command.reservation_id and (not berth or berth.reservation_id != command.reservation_id):
        return accept(command, reply=None)
    if berth is None:
        raise Rejected("not-docked-here", f"{command.vessel_id} is not docked at {ctx.key}")
    event = VesselUndocked(command.vessel_id, berth.reservation_id)
    told = NoteUndocked(ctx.key, berth.reservation_id)
    sends = (Tell(VesselKind.ref(command.vessel_id), told),)
    return accept(command, event, reply=None, sends=sends)


# -- what events do ------------------------------------------------------------------------------


@port.folds(PortRegistered)
def registered(port: Port, event: PortRegistered) -> Port:
    return Port("open", event.name, event.capacity, event.latitude, event.longitude)


@port.folds(PortOpened)
def opened(port: Port, event: PortOpened) -> Port:
    return replace(port, status="open")


@port.folds(PortClosed)
def closed(port: Port, event: PortClosed) -> Port:
    return replace(port, status="closed")


@port.folds(CapacityChanged)
def capacity_changed(port: Port, event: CapacityChanged) -> Port:
    return replace(port, capacity=event.capacity)


@port.folds(VesselDockingReserved)
def reserved(port: Port, event: VesselDockingReserved) -> Port:
    held = Held(event.vessel_id, event.expires_at)
    return replace(port, reservations={**port.reservations, event.reservation_id: held})


@port.folds(DockingConfirmed)
def confirmed(port: Port, event: DockingConfirmed) -> Port:
    berth = Berth(event.reservation_id, event.docked_at)
    return replace(
        port,
        reservations=_without(port.reservations, event.reservation_id),
        docked=(*port.docked, event.vessel_id),
        berths={**port.berths, event.vessel_id: berth},
    )


@port.folds(DockingReservationExpired)
def expired(port: Port, event: DockingReservationExpired) -> Port:
    return replace(
        port,
        reservations=_without(port.reservations, event.reservation_id),
        expired=(*port.expired, event.reservation_id)[-REMEMBERED:],
    )


@port.folds(VesselUndocked)
def undocked(port: Port, event: VesselUndocked) -> Port:
    docked = tuple(vessel for vessel in port.docked if vessel != event.vessel_id)
    return replace(port, docked=docked, berths=_without(port.berths, event.vessel_id))


# -- rules ---------------------------------------------------------------------------------------


def _require_registered(port: Port, ctx: Context) -> None:
    if not port.status:
        raise Rejected("port-not-registered", f"{ctx.key} is not registered")


def _require_open(port: Port, ctx: Context) -> None:
    if port.status != "open":
        raise Rejected("port-closed", f"{ctx.key} takes no reservations")


def _require_same_vessel(held: Held, command: ReserveDocking | ConfirmDocking) -> None:
    if held.vessel_id != command.vessel_id:
        raise Rejected("wrong-vessel", f"{command.reservation_id} is {held.vessel_id}'s")


def _require_unused(port: Port, command: ReserveDocking) -> None:
    if any(b.reservation_id == command.reservation_id for b in port.berths.values()):
        raise Rejected(
            "reservation-used", f"{command.reservation_id} was docked with; use a new id"
        )


def _require_good_reservation(port: Port, command: ConfirmDocking, ctx: Context) -> None:
    held = port.reservations.get(command.reservation_id)
    if held is None:
        if command.reservation_id in port.expired:
            raise Rejected("reservation-expired", f"{command.reservation_id} has ended")
        raise Rejected("no-such-reservation", f"{ctx.key} holds no {command.reservation_id}")
    _require_same_vessel(held, command)
    if held.expires_at <= ctx.now:
        raise Rejected("reservation-expired", f"{command.reservation_id} ended {held.expires_at}")


def _promise(port: Port, command: ReserveDocking, until: datetime) -> Reservation:
    return Reservation(command.reservation_id, until, port.latitude, port.longitude)


def _docking(command: ConfirmDocking, port_id: str, at: datetime) -> Docking:
    return Docking(port_id, command.vessel_id, command.reservation_id, at)


def _to_milliseconds(at: datetime) -> datetime:
    """What is stored has milliseconds; what is remembered must not have more."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _without(of: dict[str, V], key: str) -> dict[str, V]:
    return {name: value for name, value in of.items() if name != key}
