"""A shipment: a label from the carrier, then wherever the parcel is, until somebody has it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from orders.messages.kinds import CarrierKind, OrderKind, ShipmentKind
from orders.messages.order import ShipmentMoved
from orders.messages.outside import Booked, BookShipment, CancelBooking, Unbooked
from orders.messages.shipment import (
    BookingCancelled,
    CancelShipment,
    CreateShipment,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentFailed,
    ShipmentRequested,
    ShipmentResult,
    ShipmentStatus,
    ShipmentStatusUpdated,
    UpdateShipmentStatus,
)
from orders.messages.values import require_short_id
from orders.supervision import SUPERVISION
from wherry import (
    Accepted,
    Answered,
    Ask,
    Asker,
    Context,
    Entity,
    Event,
    Rejected,
    Tell,
    accept,
    later,
    react,
    reply_to,
)


@dataclass(frozen=True, slots=True)
class Shipment:
    """`asker` waits for the label."""

    status: Literal[""] | ShipmentStatus = ""
    order_id: str = ""
    tracking_number: str = ""
    location: str = ""
    reason: str = ""
    delivered_at: datetime | None = None
    asker: Asker[ShipmentResult] | None = None


LIFECYCLE = {
    "": ["Requested", "Cancelled"],
    "Requested": ["Created", "Failed", "Cancelled"],
    "Created": ["Shipped", "Failed", "Cancelled"],
    "Shipped": ["InTransit", "OutForDelivery", "Delivered", "Returned"],
    "InTransit": ["OutForDelivery", "Delivered", "Returned"],
    "OutForDelivery": ["InTransit", "Delivered", "Returned"],
    "Delivered": ["Returned"],
}
#: What the carrier may tell; the rest comes about by itself.
TOLD = {"Shipped", "InTransit", "OutForDelivery", "Delivered", "Failed", "Returned"}
#: Nothing will be sent.
OVER = {"Failed", "Cancelled"}

shipment = Entity(
    ShipmentKind,
    Shipment(),
    lifecycle=LIFECYCLE,
    placed_with=lambda key: f"order/{key}",
    supervision=SUPERVISION,
)


# -- the label -----------------------------------------------------------------------------------


@shipment.handles(CreateShipment)
def create(shipment: Shipment, command: CreateShipment, ctx: Context) -> Accepted[ShipmentResult]:
    if shipment.status == "Requested":
        raise Rejected("shipment-in-progress", f"{ctx.key} waits for the carrier")
    if shipment.status:
        return accept(command, reply=_result(shipment, ctx.key))
    require_short_id(ctx.key)
    event = ShipmentRequested(
        ctx.key, command.order_id, command.items, command.address, ctx.asker(command)
    )
    booking = BookShipment(command.order_id, command.items, command.address)
    return later(command, event, sends=(Ask(CarrierKind.ref(_label(ctx)), booking),))


@shipment.answers(BookShipment)
def booked(shipment: Shipment, answer: Answered[Booked], ctx: Context) -> Accepted[None]:
    if shipment.status == "Requested":
        return _labelled(shipment, answer, ctx)
    if shipment.status in OVER and answer.outcome in {"done", "unknown"}:
        return react(sends=_unbook(ctx))
    return react()


@shipment.answers(CancelBooking)
def unbooked(shipment: Shipment, answer: Answered[Unbooked], ctx: Context) -> Accepted[None]:
    return react(BookingCancelled(ctx.key)) if answer.done else react()


def _labelled(shipment: Shipment, answer: Answered[Booked], ctx: Context) -> Accepted[None]:
    assert shipment.asker is not None  # noqa: S101 - it is there as long as Requested
    if answer.done:
        there = ShipmentCreated(ctx.key, shipment.order_id, answer.reply.tracking_number)
        result = _result(created(shipment, there), ctx.key)
        return react(there, answers=(reply_to(shipment.asker, result),))
    failed = ShipmentFailed(ctx.key, shipment.order_id, answer.code or answer.outcome)
    result = _result(failed_(shipment, failed), ctx.key)
    # The carrier may have the booking all the same. Nobody has to wait until it is cancelled.
    sends = _unbook(ctx) if answer.outcome == "unknown" else ()
    return react(failed, sends=sends, answers=(reply_to(shipment.asker, result),))


# -- where it is ---------------------------------------------------------------------------------


@shipment.handles(UpdateShipmentStatus)
def update(
    shipment: Shipment, command: UpdateShipmentStatus, ctx: Context
) -> Accepted[ShipmentResult]:
    if command.status == shipment.status:
        return _relocate(shipment, command, ctx)
    if command.status not in TOLD or command.status not in LIFECYCLE.get(shipment.status, ()):
        raise _illegal(shipment, command.status, ctx)
    if command.status == "Failed":
        return _fail(shipment, command, ctx)
    moved: list[Event] = [ShipmentStatusUpdated(ctx.key, command.status, command.location)]
    if command.status == "Delivered":
        moved.append(ShipmentDelivered(ctx.key, shipment.order_id, ctx.now))
    after = replace(shipment, status=command.status, location=command.location)
    told = _tell_order(after, ctx)
    return accept(command, *moved, reply=_result(after, ctx.key), sends=(told,))


def _relocate(
    shipment: Shipment, command: UpdateShipmentStatus, ctx: Context
) -> Accepted[ShipmentResult]:
    """The same status at another place."""
    reply = _result(shipment, ctx.key)
    if shipment.status not in TOLD - OVER or command.location in {"", shipment.location}:
        return accept(command, reply=reply)
    moved = ShipmentStatusUpdated(ctx.key, command.status, command.location)
    return accept(command, moved, reply=reply)


def _fail(
    shipment: Shipment, command: UpdateShipmentStatus, ctx: Context
) -> Accepted[ShipmentResult]:
    """The carrier says that it will not send it after all."""
    failed = ShipmentFailed(ctx.key, shipment.order_id, command.location or "told-by-carrier")
    after = failed_(shipment, failed)
    result = _result(after, ctx.key)
    if shipment.asker is not None:
        answers = (reply_to(shipment.asker, result),)
        return accept(command, failed, reply=result, answers=answers)
    sends: tuple[Tell[OrderKind] | Ask[CarrierKind, Unbooked], ...] = (
        _tell_order(after, ctx),
        *_unbook(ctx),
    )
    return accept(command, failed, reply=result, sends=sends)


# -- cancelling ----------------------------------------------------------------------------------


@shipment.handles(CancelShipment, internal=True)
def cancel(shipment: Shipment, command: CancelShipment, ctx: Context) -> Accepted[ShipmentResult]:
    if shipment.status in OVER:
        return accept(command, reply=_result(shipment, ctx.key))
    if shipment.status not in {"", "Requested", "Created"}:
        raise _illegal(shipment, "Cancelled", ctx)
    event = ShipmentCancelled(ctx.key, command.order_id, command.reason)
    result = _result(cancelled(shipment, event), ctx.key)
    # A label that is on its way is cancelled when it comes.
    sends = _unbook(ctx) if shipment.status == "Created" else ()
    answers = (reply_to(shipment.asker, result),) if shipment.asker else ()
    return accept(command, event, reply=result, sends=sends, answers=answers)


# -- what events do ------------------------------------------------------------------------------


@shipment.folds(ShipmentRequested)
def requested(shipment: Shipment, event: ShipmentRequested) -> Shipment:
    return Shipment("Requested", event.order_id, asker=event.asker)


@shipment.folds(ShipmentCreated)
def created(shipment: Shipment, event: ShipmentCreated) -> Shipment:
    return replace(shipment, status="Created", tracking_number=event.tracking_number, asker=None)


@shipment.folds(ShipmentFailed)
def failed_(shipment: Shipment, event: ShipmentFailed) -> Shipment:
    return replace(shipment, status="Failed", reason=event.reason, asker=None)


@shipment.folds(ShipmentCancelled)
def cancelled(shipment: Shipment, event: ShipmentCancelled) -> Shipment:
    return replace(
        shipment, status="Cancelled", order_id=event.order_id, reason=event.reason, asker=None
    )


@shipment.folds(BookingCancelled)
def booking_cancelled(shipment: Shipment, event: BookingCancelled) -> Shipment:
    return shipment


@shipment.folds(ShipmentStatusUpdated)
def status_updated(shipment: Shipment, event: ShipmentStatusUpdated) -> Shipment:
    return replace(shipment, status=event.status, location=event.location)


@shipment.folds(ShipmentDelivered)
def delivered(shipment: Shipment, event: ShipmentDelivered) -> Shipment:
    return replace(shipment, delivered_at=event.delivery_time)


# -- words ---------------------------------------------------------------------------------------


def _result(shipment: Shipment, key: str) -> ShipmentResult:
    assert shipment.status != ""  # noqa: S101 - something has happened to it
    return ShipmentResult(
        key, shipment.order_id, shipment.status, shipment.tracking_number, shipment.reason
    )


def _tell_order(shipment: Shipment, ctx: Context) -> Tell[OrderKind]:
    assert shipment.status != ""  # noqa: S101 - it has moved
    moved = ShipmentMoved(
        ctx.key,
        shipment.status,
        shipment.tracking_number,
        shipment.location,
        shipment.reason,
        ctx.now,
    )
    return Tell(OrderKind.ref(shipment.order_id), moved)


def _label(ctx: Context) -> str:
    """The key of the call that gets the label."""
    return f"label-{ctx.key}"


def _unbook(ctx: Context) -> tuple[Ask[CarrierKind, Unbooked], ...]:
    call = CancelBooking(_label(ctx))
    return (Ask(CarrierKind.ref(f"cancel-{ctx.key}"), call),)


def _illegal(shipment: Shipment, wanted: str, ctx: Context) -> Rejected:
    now = shipment.status or "new"
    return Rejected(
        "illegal-transition",
        f"shipment {ctx.key} cannot go from {now} to {wanted}",
        from_status=now,
        to_status=wanted,
    )
