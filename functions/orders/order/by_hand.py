"""What people do to an order: move its status by hand, cancel it, send it back."""

from dataclasses import replace

from orders.messages.kinds import OrderKind
from orders.messages.order import (
    AcceptReturn,
    CancelOrder,
    OrderCancelled,
    OrderDelivered,
    OrderOutOfStock,
    OrderShipped,
    OrderState,
    OrderStatus,
    PaymentGivenUp,
    RequestReturn,
    ReturnAccepted,
    ReturnRequested,
    StopRequested,
    UpdateOrderStatus,
)
from orders.order.lifecycle import NOT_BY_HAND, SEED_TRANSITIONS
from orders.order.state import Order, order
from orders.order.steps import following
from orders.order.words import illegal, shown
from wherry import Accepted, Command, Context, Event, Rejected, accept, later

Statement = Accepted[OrderStatus]

BY_HAND = "ByHand"


@order.handles(UpdateOrderStatus)
def update(order: Order, command: UpdateOrderStatus, ctx: Context) -> Statement:
    wanted = command.status
    if order.status == "" or wanted not in SEED_TRANSITIONS.get(order.status, ()):
        raise illegal(order, wanted, ctx)
    _require_not_stopping(order, ctx)
    if NOT_BY_HAND.get(order.status) == wanted:
        raise Rejected("not-by-hand", f"{ctx.key}: the payment decides about {wanted}")
    if wanted == "ShipmentFailed":
        return _stop(order, command, StopRequested(ctx.key, wanted, BY_HAND), ctx)
    return _done(order, command, _moved(wanted, ctx), ctx)


@order.handles(CancelOrder)
def cancel(order: Order, command: CancelOrder, ctx: Context) -> Statement:
    match order.status:
        case "Pending" | "PaymentProcessing" | "PaymentConfirmed":
            return _done(order, command, OrderCancelled(ctx.key, command.reason), ctx)
        case "Preparing":
            return _stop(order, command, StopRequested(ctx.key, "Cancelled", command.reason), ctx)
        case _:
            raise illegal(order, "Cancelled", ctx)


@order.handles(RequestReturn)
def request_return(order: Order, command: RequestReturn, ctx: Context) -> Statement:
    if order.status != "Shipped":
        raise illegal(order, "ReturnRequested", ctx)
    return _done(order, command, ReturnRequested(ctx.key, command.reason), ctx)


@order.handles(AcceptReturn)
def accept_return(order: Order, command: AcceptReturn, ctx: Context) -> Statement:
    if order.status != "ReturnRequested":
        raise Rejected("no-return-requested", f"{ctx.key} is {order.status or 'not there'}")
    if order.returned:
        return accept(command, reply=shown(order, ctx))
    return _done(order, command, ReturnAccepted(ctx.key), ctx)


def _moved(wanted: OrderState, ctx: Context) -> Event:
    events: dict[OrderState, Event] = {
        "Cancelled": OrderCancelled(ctx.key, BY_HAND),
        "PaymentFailed": PaymentGivenUp(ctx.key, ctx.key, BY_HAND),
        "OutOfStock": OrderOutOfStock(ctx.key, BY_HAND),
        "Shipped": OrderShipped(ctx.key),
        "Delivered": OrderDelivered(ctx.key, ctx.now),
        "ReturnRequested": ReturnRequested(ctx.key, BY_HAND),
    }
    return events[wanted]


def _done(
    order: Order, command: Command[OrderKind, OrderStatus], event: Event, ctx: Context
) -> Statement:
    sends = following(order, ctx.key, event)
    return accept(command, event, reply=shown(order, ctx, event), sends=sends)


def _stop(
    order: Order, command: UpdateOrderStatus | CancelOrder, event: StopRequested, ctx: Context
) -> Statement:
    """A parcel may be under way: its shipment has the last word, and then comes the reply."""
    _require_not_stopping(order, ctx)
    waiting = replace(event, asker=ctx.asker(command))
    return later(command, waiting, sends=following(order, ctx.key, waiting))


def _require_not_stopping(order: Order, ctx: Context) -> None:
    if order.stopping is not None:
        raise Rejected("stop-in-progress", f"{ctx.key} waits until its shipment is stopped")
