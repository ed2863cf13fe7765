"""An order that has waited for long looks after itself: it asks again, and in the end gives up.

The receive time-out sends CheckOrderStatus from the order to itself; that is what tells it from
the CheckOrderStatus of somebody who only wants to know. Asking again is safe, because everybody
who is asked does a thing once for each order - but for one: a product remembers only the last
orders whose items came back. So `restock` is only asked again when it is known to have failed.
"""

from orders.messages.order import (
    CheckOrderStatus,
    OrderCancelled,
    OrderChecked,
    OrderOutOfStock,
    OrderStatus,
    PaymentGivenUp,
    StopRequested,
)
from orders.order.state import Order, order
from orders.order.steps import ask, following
from orders.order.words import shown
from wherry import Accepted, Context, Event, accept

#: After so many checks without an answer an order goes back. What gives back is never given up.
PATIENCE = 10
TIMED_OUT = "TimedOut"


@order.handles(CheckOrderStatus)
def check(order: Order, command: CheckOrderStatus, ctx: Context) -> Accepted[OrderStatus]:
    if ctx.asker(command).sender != f"{ctx.kind}/{ctx.key}" or not order.open:
        return accept(command, reply=shown(order, ctx))
    events = _give_up(order, ctx) or [_checked(order, ctx)]
    asked = events[0].asked if isinstance(events[0], OrderChecked) else ()
    sends = (
        *(ask(order, ctx.key, step) for step in asked),
        *following(order, ctx.key, *events),
    )
    return accept(command, *events, reply=shown(order, ctx, *events), sends=sends)


def _checked(order: Order, ctx: Context) -> OrderChecked:
    steps = (s for s in order.open if s in order.again or not s.startswith("restock:"))
    return OrderChecked(ctx.key, order.checks + 1, tuple(steps))


def _give_up(order: Order, ctx: Context) -> list[Event]:
    """Nothing, or the event that turns the order back."""
    if order.checks < PATIENCE or "stop" in order.open:
        return []
    match order.status:
        case "Pending":
            return [OrderCancelled(ctx.key, TIMED_OUT)]
        case "PaymentProcessing":
            return [PaymentGivenUp(ctx.key, ctx.key, TIMED_OUT)]
        case "PaymentConfirmed":
            return [OrderOutOfStock(ctx.key, TIMED_OUT)]
        case "Preparing":
            return [StopRequested(ctx.key, "ShipmentFailed", TIMED_OUT)]
        case _:
            return []
