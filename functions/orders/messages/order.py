"""What an order can be told, and what happens to it."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from orders.messages.kinds import OrderKind
from orders.messages.shipment import ShipmentStatus
from orders.messages.values import (
    Address,
    Id,
    Money,
    OrderItem,
    OrderLine,
    PaymentMethod,
    Reason,
)  # fmt: skip
from wherry import Asker, Command, Event, message

#: The states of an order. What may follow what: orders.order.lifecycle.
OrderState = Literal[
    "Pending", "PaymentProcessing", "PaymentConfirmed", "Preparing", "Shipped", "Delivered",
    "Cancelled", "PaymentFailed", "OutOfStock", "ShipmentFailed", "ReturnRequested",
]  # fmt: skip
Items = Annotated[tuple[OrderItem, ...], Meta(min_length=1, max_length=100)]


# -- what it can be told -------------------------------------------------------------------------


@message
class OrderPlaced:
    """The order exists, and goes on by itself."""

    order_id: str
    status: OrderState
    total_amount: Money
    currency: str


@message
class OrderStatus:
    """`waiting_for`: what has to be answered before the order goes on, or comes to rest."""

    order_id: str
    status: OrderState | Literal[""]
    waiting_for: tuple[str, ...] = ()


@message
class CreateOrder(Command[OrderKind, OrderPlaced]):
    """Order items. Answered when all prices are known, before anything is reserved."""

    customer_id: Id
    account_id: Id
    items: Items
    shipping_address: Address
    payment_method: PaymentMethod

    def __post_init__(self) -> None:
        if len({item.product_id for item in self.items}) < len(self.items):
            raise ValueError("items must name each product once")


@message
class UpdateOrderStatus(Command[OrderKind, OrderStatus]):
    """Do by hand what the seed's table of transitions allows, with all that belongs to it."""

    status: OrderState


@message
class CancelOrder(Command[OrderKind, OrderStatus]):
    """Cancel: until the parcel is on its way, and with everything given back."""

    reason: Reason


@message
class RequestReturn(Command[OrderKind, OrderStatus]):
    """The customer wants to send the parcel back."""

    reason: Reason


@message
class AcceptReturn(Command[OrderKind, OrderStatus]):
    """The parcel came back: refund and restock."""


@message
class CheckOrderStatus(Command[OrderKind, OrderStatus]):
    """How is the order? An order that has waited for long sends this to itself: see check.py."""


@message
class ShipmentMoved(Command[OrderKind, None]):
    """The shipment tells where the parcel is."""

    shipment_id: Id
    status: ShipmentStatus
    tracking_number: str
    location: str
    reason: str
    at: datetime


# -- what happens to it --------------------------------------------------------------------------


@message
class OrderCreated(Event):
    """`unavailable` names products of which there were not enough: then nothing is reserved."""

    order_id: str
    customer_id: str
    account_id: str
    items: tuple[OrderLine, ...]
    total_amount: Money
    currency: str
    shipping_address: Address
    payment_method: str
    created_at: datetime
    placed_by: str
    unavailable: tuple[str, ...] = ()


@message
class ItemReserved(Event):
    """One of several products is held; ItemsReserved tells of the last."""

    order_id: str
    product_id: str


@message
class ItemsReserved(Event):
    """All items are held."""

    order_id: str
    reservation_id: str
    items: tuple[OrderLine, ...]


@message
class ItemUnavailable(Event):
    order_id: str
    product_id: str
    reason: str


@message
class PaymentStarted(Event):
    order_id: str
    payment_id: str


@message
class PaymentProcessed(Event):
    """The payment has ended. `Failed` gives back what is held."""

    order_id: str
    payment_id: str
    status: Literal["Succeeded", "Failed"]
    reason: str = ""


@message
class PaymentGivenUp(Event):
    """The order does not wait for its payment any longer; should it succeed, it is refunded."""

    order_id: str
    payment_id: str
    reason: str


@message
class ItemSold(Event):
    """What was held of a product belongs to the order."""

    order_id: str
    product_id: str


@message
class ItemLost(Event):
    """What was held of a product is not held any more."""

    order_id: str
    product_id: str
    reason: str


@message
class OrderOutOfStock(Event):
    order_id: str
    reason: str


@message
class OrderPrepared(Event):
    """All is paid and sold: a shipment is asked for."""

    order_id: str
    shipment_id: str


@message
class StopRequested(Event):
    """The shipment must be stopped before the order may go to `status`."""

    order_id: str
    status: Literal["Cancelled", "ShipmentFailed"]
    reason: str
    asker: Asker[OrderStatus] | None = None


@message
class ShipmentStopped(Event):
    order_id: str


@message
class ShipmentNotStopped(Event):
    """It was too late: the parcel is on its way."""

    order_id: str
    reason: str


@message
class OrderShipped(Event):
    order_id: str
    location: str = ""


@message
class OrderDelivered(Event):
    order_id: str
    delivered_at: datetime


@message
class OrderCancelled(Event):
    order_id: str
    reason: str


@message
class ReturnRequested(Event):
    order_id: str
    reason: str


@message
class ReturnAccepted(Event):
    order_id: str


@message
class ItemReleased(Event):
    """One product is held no longer; ReservationReleased tells of the last."""

    order_id: str
    product_id: str


@message
class ReservationReleased(Event):
    """Nothing is held any longer."""

    order_id: str
    reservation_id: str


@message
class ItemRestocked(Event):
    order_id: str
    product_id: str


@message
class OrderRefunded(Event):
    order_id: str
    payment_id: str
    amount: Money
    refunded: Money


@message
class StepFailed(Event):
    """Something that was asked could not be done now; it is asked again at the next check."""

    order_id: str
    step: str
    code: str
    detail: str = ""


@message
class OrderChecked(Event):
    """The order has waited for long, and has asked again. `number` counts since anything moved."""

    order_id: str
    number: int
    asked: tuple[str, ...]
