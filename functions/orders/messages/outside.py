"""What is asked of the systems outside. The key of a call is its idempotency key."""

from typing import Literal

from orders.messages.kinds import CarrierKind, GatewayKind, WebhookKind
from orders.messages.values import Address, Money, OrderItem
from wherry import Command, message

# -- the payment gateway -------------------------------------------------------------------------


@message
class Captured:
    transaction_id: str


@message
class Capture(Command[GatewayKind, Captured]):
    """Take the money. Refused with the gateway's code, for instance `card-declined`."""

    order_id: str
    amount: Money
    currency: str
    payment_method: str


@message
class Voided:
    """`found`: there was a capture to undo."""

    found: bool


@message
class VoidCapture(Command[GatewayKind, Voided]):
    """Undo a capture if it was done, and see to it that it never will be."""

    capture_key: str


@message
class GaveBack:
    refund_id: str


@message
class Refund(Command[GatewayKind, GaveBack]):
    """Give back part of a capture, or all of it."""

    transaction_id: str
    amount: Money
    currency: str


# -- the carrier ---------------------------------------------------------------------------------


@message
class Booked:
    tracking_number: str


@message
class BookShipment(Command[CarrierKind, Booked]):
    """Book a parcel. Refused with the carrier's code, for instance `address-not-served`."""

    order_id: str
    items: tuple[OrderItem, ...]
    address: Address


@message
class Unbooked:
    """`found`: there was a booking to cancel."""

    found: bool


@message
class CancelBooking(Command[CarrierKind, Unbooked]):
    """Cancel a booking if it was made, and see to it that it never will be."""

    booking_key: str


# -- the webhook ---------------------------------------------------------------------------------


@message
class PostNotice(Command[WebhookKind, None]):
    notice: Literal["OrderConfirmed", "OrderCancelled"]
    order_id: str
    customer_id: str
    reason: str = ""
    detail: str = ""
    tracking_number: str = ""
