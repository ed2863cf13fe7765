"""What an order asks of others: one message for each step that is open.

Handlers decide events only. What follows from those - the asks for what is newly open, a notice
to the customer - is the same wherever it comes from: `following`.
"""

from functools import reduce
from typing import Any

from orders.messages import customer
from orders.messages.account import ValidateAccount
from orders.messages.kinds import (
    AccountKind,
    CustomerKind,
    PaymentKind,
    ProductKind,
    ShipmentKind,
)
from orders.messages.payment import ProcessPayment, RefundPayment
from orders.messages.product import ReleaseReservation, ReserveItems, RestockItems, SellItems
from orders.messages.shipment import CancelShipment, CreateShipment
from orders.messages.values import OrderItem
from orders.order.state import Order, order
from wherry import Ask, Event, Ref, Tell

Sends = tuple[Tell[Any] | Ask[Any, Any], ...]

#: The customer is told of the end when nothing of these is open: money may take its time.
BEFORE_NOTICE = ("reserve", "sell", "release", "restock", "stop")


def after(before: Order, events: tuple[Event, ...]) -> Order:
    """The order as it will be."""
    return reduce(lambda state, event: order.appliers[type(event)](state, event), events, before)


def following(before: Order, key: str, *events: Event) -> Sends:
    """What to send because of events: asks for all that is newly open, and notices."""
    then = after(before, events)
    fresh = (step for step in then.open if step not in before.open)
    return (*(ask(then, key, step) for step in fresh), *_notices(before, then, key))


def ask(order: Order, key: str, step: str) -> Ask[Any, Any]:
    """The message of a step."""
    name, _, product_id = step.partition(":")
    if product_id:
        return _ask_product(order, key, name, product_id)
    match name:
        case "account":
            return Ask(AccountKind.ref(order.account_id), ValidateAccount())
        case "payment":
            return Ask(PaymentKind.ref(key), _payment(order, key))
        case "refund":
            # All that is left: asked for twice, the second time nothing is.
            return Ask(PaymentKind.ref(key), RefundPayment())
        case "shipment":
            return Ask(ShipmentKind.ref(key), _shipment(order, key))
        case "stop":
            reason = order.stopping.reason if order.stopping else order.reason
            return Ask(ShipmentKind.ref(key), CancelShipment(key, reason))
        case _:
            raise ValueError(f"an order has no step {step!r}")


def _ask_product(order: Order, key: str, name: str, product_id: str) -> Ask[Any, Any]:
    quantity = order.line(product_id).quantity
    to: Ref[ProductKind] = ProductKind.ref(product_id)
    match name:
        case "reserve":
            return Ask(to, ReserveItems(key, quantity))
        case "release":
            return Ask(to, ReleaseReservation(key))
        case "sell":
            return Ask(to, SellItems(key, quantity))
        case "restock":
            return Ask(to, RestockItems(key, quantity))
        case _:
            raise ValueError(f"an order has no step {name!r} for {product_id}")


def _payment(order: Order, key: str) -> ProcessPayment:
    return ProcessPayment(
        key, order.account_id, order.total_amount, order.currency, order.payment_method
    )


def _shipment(order: Order, key: str) -> CreateShipment:
    assert order.shipping_address is not None  # noqa: S101 - it was created with one
    items = tuple(OrderItem(line.product_id, line.quantity) for line in order.items)
    return CreateShipment(key, items, order.shipping_address)


def _notices(before: Order, then: Order, key: str) -> Sends:
    """What the customer is told: there is a label, or there will never be one."""
    if then.tracking_number and not before.tracking_number and not then.failed:
        told = customer.Notify(key, "OrderConfirmed", tracking_number=then.tracking_number)
        return (Tell(CustomerKind.ref(then.customer_id), told),)
    if _over(then) and not _over(before):
        reason = then.reason if then.status == "Cancelled" else then.status
        told = customer.Notify(key, "OrderCancelled", reason, detail=then.reason)
        return (Tell(CustomerKind.ref(then.customer_id), told),)
    return ()


def _over(order: Order) -> bool:
    return order.failed and not order.waits_for(*BEFORE_NOTICE)
