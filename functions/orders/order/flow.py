"""The way forward: what an order makes of the answers that it gets, from reservation to parcel."""

from orders.messages import shipment
from orders.messages.account import AccountValid, ValidateAccount
from orders.messages.order import (
    ItemLost,
    ItemReserved,
    ItemSold,
    ItemsReserved,
    ItemUnavailable,
    OrderCancelled,
    OrderDelivered,
    OrderOutOfStock,
    OrderPrepared,
    OrderShipped,
    PaymentProcessed,
    PaymentStarted,
    ReturnRequested,
    ShipmentMoved,
)
from orders.messages.payment import PaymentResult, ProcessPayment
from orders.messages.product import ItemsReserved as Held
from orders.messages.product import ItemsSold, ReserveItems, SellItems
from orders.messages.shipment import CreateShipment, ShipmentResult
from orders.order.state import Order, order
from orders.order.words import SHIPPED, go, in_words, step_failed, was_refused
from wherry import Accepted, Answered, Context, Event, accept, react

#: The shipment waits for its carrier itself.
IN_PROGRESS = "shipment-in-progress"
PAID = {"Succeeded", "PartiallyRefunded", "Refunded"}


# -- reserving -----------------------------------------------------------------------------------


@order.answers(ReserveItems)
def reserved(order: Order, answer: Answered[Held], ctx: Context) -> Accepted[None]:
    step = f"reserve:{answer.key}"
    if step not in order.open:
        return react()
    if not answer.done:
        return _not_reserved(order, answer, ctx)
    if order.failed or len([s for s in order.open if s.startswith("reserve:")]) > 1:
        return go(order, ctx, ItemReserved(ctx.key, answer.key))
    return go(order, ctx, ItemsReserved(ctx.key, answer.reply.reservation_id, order.items))


def _not_reserved(order: Order, answer: Answered[Held], ctx: Context) -> Accepted[None]:
    """All or nothing: one product that is not there ends the order."""
    if not was_refused(answer):
        return step_failed(order, ctx, f"reserve:{answer.key}", answer)
    missing = ItemUnavailable(ctx.key, answer.key, answer.code)
    if order.failed:
        return go(order, ctx, missing)
    return go(order, ctx, missing, OrderCancelled(ctx.key, "ItemsUnavailable"))


@order.answers(ValidateAccount)
def validated(order: Order, answer: Answered[AccountValid], ctx: Context) -> Accepted[None]:
    if "account" not in order.open:
        return react()
    if was_refused(answer):
        return go(order, ctx, OrderCancelled(ctx.key, in_words(answer.code)))
    if not answer.done:
        return step_failed(order, ctx, "account", answer)
    if answer.reply.currency != order.currency:
        return go(order, ctx, OrderCancelled(ctx.key, "CurrencyMismatch"))
    return go(order, ctx, PaymentStarted(ctx.key, payment_id=ctx.key))


# -- paying --------------------------------------------------------------------------------------


@order.answers(ProcessPayment)
def paid(order: Order, answer: Answered[PaymentResult], ctx: Context) -> Accepted[None]:
    if not answer.done and not was_refused(answer):
        waits = "payment" in order.open
        return step_failed(order, ctx, "payment", answer) if waits else react()
    match _outcome(answer):
        case "Succeeded", _ if _expects_money(order):
            return go(order, ctx, PaymentProcessed(ctx.key, ctx.key, "Succeeded"))
        case "Failed", reason if "payment" in order.open:
            return go(order, ctx, PaymentProcessed(ctx.key, ctx.key, "Failed", reason))
        case _:
            return react()


def _outcome(answer: Answered[PaymentResult]) -> tuple[str, str]:
    """How the payment ended, and why; `Processing` when it has not."""
    if answer.done:
        status, reason = answer.reply.status, answer.reply.reason
    elif answer.code == "payment-already-processed":
        status, reason = answer.data["status"], answer.data["reason"]
    else:
        status, reason = "Failed", answer.code
    return ("Succeeded" if status in PAID else status), reason


def _expects_money(order: Order) -> bool:
    """Whether a payment that has succeeded is news: waited for, or given up and not refunded."""
    return "payment" in order.open or (order.failed and not order.paid and not order.refunded)


# -- selling -------------------------------------------------------------------------------------


@order.answers(SellItems)
def sold(order: Order, answer: Answered[ItemsSold], ctx: Context) -> Accepted[None]:
    step = f"sell:{answer.key}"
    if step not in order.open:
        return react()
    if answer.done:
        return _sold(order, answer.key, ctx)
    if not was_refused(answer):
        return step_failed(order, ctx, step, answer)
    lost = ItemLost(ctx.key, answer.key, answer.code)
    return go(order, ctx, lost, *_out_of_stock(order, answer.code, ctx))


def _sold(order: Order, product_id: str, ctx: Context) -> Accepted[None]:
    last = [s for s in order.open if s.startswith("sell:")] == [f"sell:{product_id}"]
    prepared = [OrderPrepared(ctx.key, ctx.key)] if last and not order.failed else []
    return go(order, ctx, ItemSold(ctx.key, product_id), *prepared)


def _out_of_stock(order: Order, reason: str, ctx: Context) -> list[Event]:
    return [] if order.failed else [OrderOutOfStock(ctx.key, reason)]


# -- shipping ------------------------------------------------------------------------------------


@order.answers(CreateShipment)
def labelled(order: Order, answer: Answered[ShipmentResult], ctx: Context) -> Accepted[None]:
    if answer.done and answer.reply.status not in {"Failed", "Cancelled"}:
        return _created(order, answer.reply, ctx)
    # An order that wants its shipment stopped hears of that by the answer to `stop`.
    if "shipment" not in order.open or "stop" in order.open or answer.code == IN_PROGRESS:
        return react()
    if not answer.done and not was_refused(answer):
        return step_failed(order, ctx, "shipment", answer)
    reason = answer.reply.reason if answer.done else answer.code
    return go(order, ctx, shipment.ShipmentFailed(ctx.key, ctx.key, reason or "failed"))


def _created(order: Order, result: ShipmentResult, ctx: Context) -> Accepted[None]:
    if order.tracking_number or not order.shipment_id:
        return react()
    event = shipment.ShipmentCreated(result.shipment_id, ctx.key, result.tracking_number)
    return go(order, ctx, event)


@order.handles(ShipmentMoved, internal=True)
def moved(order: Order, command: ShipmentMoved, ctx: Context) -> Accepted[None]:
    events = tuple(_movement(order, command, ctx))
    done = go(order, ctx, *events)
    return accept(command, *events, reply=None, sends=done.sends)


def _movement(order: Order, command: ShipmentMoved, ctx: Context) -> list[Event]:
    """What the parcel's way means for the order. What comes late, or twice, means nothing."""
    if command.status == "Failed" and order.status == "Preparing":
        return [shipment.ShipmentFailed(command.shipment_id, ctx.key, command.reason)]
    if command.status == "Returned" and order.status == "Shipped":
        return [ReturnRequested(ctx.key, "ReturnedByCarrier")]
    events: list[Event] = []
    if command.status in SHIPPED and order.status == "Preparing":
        events.append(OrderShipped(ctx.key, command.location))
    if command.status == "Delivered" and order.status in {"Preparing", "Shipped"}:
        events.append(OrderDelivered(ctx.key, command.at))
    return events
