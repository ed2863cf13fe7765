"""A vessel: where it is, where it is docked, and whether it sails at all.

A docked vessel does not move: its position is refused until it departs. From its arrival until
the port has confirmed, `docking` names the reservation; only that docking can be reverted.
Where it has been is in its log (PositionUpdated, VesselArrived, VesselDeparted), not in its state.
"""

from dataclasses import dataclass, replace

from docking.geo import Position, is_at
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
from wherry import Accepted, Context, Entity, Rejected, Tell, accept


@dataclass(frozen=True, slots=True)
class Vessel:
    """`reservation_id` is what it docked with; `docking` the same while that is unconfirmed."""

    status: str = ""
    name: str = ""
    mmsi: str | None = None
    imo: str | None = None
    position: Position | None = None
    port_id: str | None = None
    reservation_id: str | None = None
    docking: str | None = None


LIFECYCLE = {
    "": ["AtSea"],
    "AtSea": ["Docked", "Maintenance", "Decommissioned"],
    "Docked": ["AtSea"],
    "Maintenance": ["AtSea", "Decommissioned"],
}

vessel = Entity(VesselKind, Vessel(), lifecycle=LIFECYCLE)


# -- being a vessel ------------------------------------------------------------------------------


@vessel.handles(RegisterVessel)
def register(vessel: Vessel, command: RegisterVessel, ctx: Context) -> Accepted[None]:
    if vessel.status:
        raise Rejected("already-registered", f"{ctx.key} is registered as {vessel.name}")
    return accept(command, VesselRegistered(command.name, command.mmsi, command.imo), reply=None)


@vessel.handles(UpdatePosition)
def update_position(vessel: Vessel, command: UpdatePosition, ctx: Context) -> Accepted[None]:
    _require_in_service(vessel, ctx)
    _require_undocked(vessel, ctx)
    return accept(command, PositionUpdated(command.latitude, command.longitude), reply=None)


@vessel.handles(UpdateOperationalStatus)
def update_status(vessel: Vessel, command: UpdateOperationalStatus, ctx: Context) -> Accepted[None]:
    _require_in_service(vessel, ctx)
    _require_undocked(vessel, ctx)
    if _status(command.status) == vessel.status:
        return accept(command, reply=None)
    return accept(command, OperationalStatusChanged(command.status), reply=None)


@vessel.handles(Decommission)
def decommission(vessel: Vessel, command: Decommission, ctx: Context) -> Accepted[None]:
    if vessel.status == "Decommissioned":
        return accept(command, reply=None)
    _require_in_service(vessel, ctx)
    _require_undocked(vessel, ctx)
    return accept(command, VesselDecommissioned(), reply=None)


# -- docking -------------------------------------------------------------------------------------


@vessel.handles(ArriveAtPort)
def arrive(vessel: Vessel, command: ArriveAtPort, ctx: Context) -> Accepted[None]:
    _require_in_service(vessel, ctx)
    if vessel.reservation_id == command.reservation_id:
        return accept(command, reply=None)
    _require_undocked(vessel, ctx)
    if vessel.status == "Maintenance":
        raise Rejected("not-operational", f"{ctx.key} is in maintenance")
    if not is_at(vessel.position, Position(command.latitude, command.longitude)):
        raise Rejected("vessel-not-at-port", "Vessel not at port location")
    return accept(command, VesselArrived(command.port_id, command.reservation_id), reply=None)


@vessel.handles(RevertArrival, internal=True)
def revert(vessel: Vessel, command: RevertArrival, ctx: Context) -> Accepted[None]:
    if vessel.docking != command.reservation_id or vessel.port_id is None:
        return accept(command, reply=None)
    return accept(command, ArrivalReverted(vessel.port_id, command.reservation_id), reply=None)


@vessel.handles(NoteDocked, internal=True)
def note_docked(vessel: Vessel, command: NoteDocked, ctx: Context) -> Accepted[None]:
    if vessel.docking != command.reservation_id:
        return accept(command, reply=None)
    event = DockingCompleted(command.port_id, command.reservation_id)
    return accept(command, event, reply=None)


@vessel.handles(DepartFromPort)
def depart(vessel: Vessel, command: DepartFromPort, ctx: Context) -> Accepted[None]:
    _require_in_service(vessel, ctx)
    if vessel.port_id is None or vessel.reservation_id is None:
        raise Rejected("not-docked", f"{ctx.key} is not docked")
    port, reservation = PortKind.ref(vessel.port_id), vessel.reservation_id
    # While `docking`, the port may or may not have confirmed: one of the two does nothing. A
    # confirmation that comes later finds no reservation, and its saga turns back.
    expire = Tell(port, ExpireReservation(reservation))
    undock = Tell(port, UndockVessel(ctx.key, reservation))
    return accept(
        command,
        VesselDeparted(vessel.port_id, reservation),
        reply=None,
        sends=(expire, undock) if vessel.docking else (undock,),
    )


@vessel.handles(NoteUndocked, internal=True)
def note_undocked(vessel: Vessel, command: NoteUndocked, ctx: Context) -> Accepted[None]:
    here = (vessel.port_id, vessel.reservation_id)
    if here != (command.port_id, command.reservation_id):
        return accept(command, reply=None)
    return accept(command, VesselDeparted(command.port_id, command.reservation_id), reply=None)


# -- what events do ------------------------------------------------------------------------------


@vessel.folds(VesselRegistered)
def registered(vessel: Vessel, event: VesselRegistered) -> Vessel:
    return Vessel("AtSea", event.name, event.mmsi, event.imo)


@vessel.folds(PositionUpdated)
def moved(vessel: Vessel, event: PositionUpdated) -> Vessel:
    return replace(vessel, position=Position(event.latitude, event.longitude))


@vessel.folds(OperationalStatusChanged)
def status_changed(vessel: Vessel, event: OperationalStatusChanged) -> Vessel:
    return replace(vessel, status=_status(event.status))


@vessel.folds(VesselDecommissioned)
def decommissioned(vessel: Vessel, event: VesselDecommissioned) -> Vessel:
    return replace(vessel, status="Decommissioned")


@vessel.folds(VesselArrived)
def arrived(vessel: Vessel, event: VesselArrived) -> Vessel:
    with_ = event.reservation_id
    return replace(
        vessel, status="Docked", port_id=event.port_id, reservation_id=with_, docking=with_
    )


@vessel.folds(DockingCompleted)
def completed(vessel: Vessel, event: DockingCompleted) -> Vessel:
    return replace(vessel, docking=None)


@vessel.folds(ArrivalReverted)
def reverted(vessel: Vessel, event: ArrivalReverted) -> Vessel:
    return _at_sea(vessel)


@vessel.folds(VesselDeparted)
def departed(vessel: Vessel, event: VesselDeparted) -> Vessel:
    return _at_sea(vessel)


# -- rules ---------------------------------------------------------------------------------------


def _require_in_service(vessel: Vessel, ctx: Context) -> None:
    if not vessel.status:
        raise Rejected("vessel-not-registered", f"{ctx.key} is not registered")
    if vessel.status == "Decommissioned":
        raise Rejected("decommissioned", f"{ctx.key} is out of service for good")


def _require_undocked(vessel: Vessel, ctx: Context) -> None:
    if vessel.docking is not None:
        raise Rejected("docking-in-progress", f"{ctx.key} is docking at {vessel.port_id}")
    if vessel.status == "Docked":
        raise Rejected("already-docked", f"{ctx.key} is docked at {vessel.port_id}")


def _status(operational: str) -> str:
    return "Maintenance" if operational == "Maintenance" else "AtSea"


def _at_sea(vessel: Vessel) -> Vessel:
    return replace(vessel, status="AtSea", port_id=None, reservation_id=None, docking=None)
