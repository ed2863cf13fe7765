"""Small words that all parts of the order use."""

from typing import Any

from orders.messages.order import OrderStatus, StepFailed
from orders.order.state import Order
from orders.order.steps import after, following
from wherry import Accepted, Answered, Context, Event, Rejected, react

#: What a shipment may tell that means: the parcel is on its way.
SHIPPED = {"Shipped", "InTransit", "OutForDelivery", "Delivered"}
#: An entity that was stopped answers with a rejection; yet it has not decided anything.
STOPPED = "entity-stopped"


def go(order: Order, ctx: Context, *events: Event) -> Accepted[None]:
    """React with events, and with all that follows from them."""
    return react(*events, sends=following(order, ctx.key, *events))


def shown(order: Order, ctx: Context, *events: Event) -> OrderStatus:
    """The order as whoever asks is told, after events."""
    then = after(order, events)
    return OrderStatus(ctx.key, then.status, then.open)


def was_refused(answer: Answered[Any]) -> bool:
    """Whether somebody has said no: then asking again gives the same."""
    return answer.outcome == "rejected" and answer.code != STOPPED


def step_failed(order: Order, ctx: Context, step: str, answer: Answered[Any]) -> Accepted[None]:
    """Nobody has said no, but it was not done: it is asked again at the next check."""
    code = answer.code or answer.outcome
    return go(order, ctx, StepFailed(ctx.key, step, code, answer.detail[:500]))


def in_words(code: str) -> str:
    """A rejection's code as a reason: account-not-open is AccountNotOpen."""
    return "".join(part.capitalize() for part in code.split("-"))


def illegal(order: Order, wanted: str, ctx: Context) -> Rejected:
    """The refusal of a transition, naming both states."""
    now = order.status or "new"
    return Rejected(
        "illegal-transition",
        f"order {ctx.key} cannot go from {now} to {wanted}",
        from_status=now,
        to_status=wanted,
    )
