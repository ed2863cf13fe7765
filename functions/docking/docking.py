"""The docking saga: reserve a berth, let the vessel arrive, confirm - or undo all of it."""

from dataclasses import dataclass, replace
from datetime import timedelta

from docking.messages import (
    ArriveAtPort,
    ConfirmDocking,
    Docking,
    ExpireReservation,
    PortKind,
    Reservation,
    ReserveDocking,
    RevertArrival,
    StartDocking,
    UndockVessel,
    VesselKind,
)
from wherry import Ask, Context, Ref, Saga, Tell

PATIENCE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the saga knows: its reservation is named after itself, before anybody answered."""

    vessel_id: str
    port_id: str
    reservation_id: str
    reservation: Reservation | None = None
    docking: Docking | None = None


def port_of(given: StartDocking) -> Ref[PortKind]:
    return PortKind.ref(given.port_id)


def start(given: StartDocking, ctx: Context) -> Plan:
    return Plan(given.vessel_id, given.port_id, ctx.key)


def result(plan: Plan) -> Docking:
    assert plan.docking is not None  # noqa: S101 - there is a result only after the last step
    return plan.docking


def reserve(plan: Plan) -> Ask[PortKind, Reservation]:
    command = ReserveDocking(plan.reservation_id, plan.vessel_id)
    return Ask(PortKind.ref(plan.port_id), command, PATIENCE)


def arrive(plan: Plan) -> Ask[VesselKind, None]:
    at = plan.reservation
    assert at is not None  # noqa: S101 - the step before this one has kept it
    command = ArriveAtPort(plan.port_id, plan.reservation_id, at.latitude, at.longitude)
    return Ask(VesselKind.ref(plan.vessel_id), command, PATIENCE)


def confirm(plan: Plan) -> Ask[PortKind, Docking]:
    command = ConfirmDocking(plan.reservation_id, plan.vessel_id)
    return Ask(PortKind.ref(plan.port_id), command, PATIENCE)


def give_back(plan: Plan) -> Tell[PortKind]:
    return Tell(PortKind.ref(plan.port_id), ExpireReservation(plan.reservation_id))


def leave(plan: Plan) -> Tell[VesselKind]:
    return Tell(VesselKind.ref(plan.vessel_id), RevertArrival(plan.reservation_id))


def undock(plan: Plan) -> Tell[PortKind]:
    return Tell(PortKind.ref(plan.port_id), UndockVessel(plan.vessel_id, plan.reservation_id))


docking = Saga("docking", start=start, result=result, deadline=timedelta(minutes=10), near=port_of)
docking.step(
    "reserve", reserve, keep=lambda plan, kept: replace(plan, reservation=kept), undo=give_back
)
docking.step("arrive", arrive, undo=leave)
# A confirmation can be done and yet come too late: then it has to be undone as well.
docking.step("confirm", confirm, keep=lambda plan, kept: replace(plan, docking=kept), undo=undock)
