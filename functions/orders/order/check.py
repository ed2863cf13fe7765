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
    if turned := _give_up(order, ctx):
        sends = following(order, ctx.key, *turned)
        return accept(command, *turned, reply=shown(order, ctx, *turned), sends=sends)
    asked = tuple(s for s in order.open if s in order.again or not s.startswith("restock:"))
    # An order that goes back may wait for days: its log tells what failed, not how long it took.
    counts = order.again or not _goes_back(order)
    noted = [OrderChecked(ctx.key, order.checks + 1, asked)] if counts else []
    sends = tuple(ask(order, ctx.key, step) for step in asked)
    return accept(command, *noted, reply=shown(order, ctx), sends=sends)


def _goes_back(order: Order) -> bool:
    """Whether it has come to nothing, or is about to: then it never gives up."""
    return order.failed or order.returned or "stop" in order.open


def _give_up(order: Order, ctx: Context) -> list[Event]:
    """Nothing, or the event that turns the order back."""
    if order.checks < PATIENCE or _goes_back(order):
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
