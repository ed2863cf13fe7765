"""The way back: releases, restocks, refunds, and stopping a shipment. None of them is given up."""

from orders.messages import product
from orders.messages.order import (
    ItemReleased,
    ItemRestocked,
    OrderCancelled,
    OrderRefunded,
    ReservationReleased,
    ShipmentNotStopped,
    ShipmentStopped,
)
from orders.messages.payment import RefundPayment, RefundResult
from orders.messages.product import ItemsRestocked, ReleaseReservation, RestockItems
from orders.messages.shipment import CancelShipment, ShipmentFailed, ShipmentResult
from orders.order.state import Order, Stopping, order
from orders.order.steps import following
from orders.order.words import go, illegal, shown, step_failed, was_refused
from wherry import Accepted, Answered, Context, Event, react, refuse, reply_to


@order.answers(ReleaseReservation)
def released(
    order: Order, answer: Answered[product.ReservationReleased], ctx: Context
) -> Accepted[None]:
    step = f"release:{answer.key}"
    if step not in order.open:
        return react()
    if not answer.done:
        return step_failed(order, ctx, step, answer)
    if [s for s in order.open if s.startswith(("reserve:", "release:"))] == [step]:
        return go(order, ctx, ReservationReleased(ctx.key, order.reservation_id or ctx.key))
    return go(order, ctx, ItemReleased(ctx.key, answer.key))


@order.answers(RestockItems)
def restocked(order: Order, answer: Answered[ItemsRestocked], ctx: Context) -> Accepted[None]:
    step = f"restock:{answer.key}"
    if step not in order.open:
        return react()
    if not answer.done:
        return step_failed(order, ctx, step, answer)
    return go(order, ctx, ItemRestocked(ctx.key, answer.key))


@order.answers(RefundPayment)
def refunded(order: Order, answer: Answered[RefundResult], ctx: Context) -> Accepted[None]:
    if "refund" not in order.open or answer.code == "refund-in-progress":
        return react()
    if not answer.done:
        return step_failed(order, ctx, "refund", answer)
    back = answer.reply
    if back.status != "Refunded":
        return react()  # somebody else's refund is on its way, and may yet be refused: ask again
    return go(order, ctx, OrderRefunded(ctx.key, back.payment_id, back.amount, back.refunded))


@order.answers(CancelShipment)
def stopped(order: Order, answer: Answered[ShipmentResult], ctx: Context) -> Accepted[None]:
    if "stop" not in order.open:
        return react()
    if answer.done:
        return _stopped(order, ctx)
    if not was_refused(answer):
        return step_failed(order, ctx, "stop", answer)
    # The parcel was faster. The order goes on to Shipped, as its shipment tells it.
    event = ShipmentNotStopped(ctx.key, answer.detail)
    refused = illegal(order, order.stopping.status if order.stopping else "Cancelled", ctx)
    waiting = order.stopping.asker if order.stopping else None
    answers = (refuse(waiting, refused.code, answer.detail),) if waiting else ()
    return react(event, sends=following(order, ctx.key, event), answers=answers)


def _stopped(order: Order, ctx: Context) -> Accepted[None]:
    events: list[Event] = [ShipmentStopped(ctx.key)]
    if order.stopping is not None and order.status == "Preparing":
        events.append(_end(order.stopping, ctx))
    waiting = order.stopping.asker if order.stopping else None
    answers = (reply_to(waiting, shown(order, ctx, *events)),) if waiting else ()
    return react(*events, sends=following(order, ctx.key, *events), answers=answers)


def _end(stopping: Stopping, ctx: Context) -> Event:
    if stopping.status == "Cancelled":
        return OrderCancelled(ctx.key, stopping.reason)
    return ShipmentFailed(ctx.key, ctx.key, stopping.reason)
