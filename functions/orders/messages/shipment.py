"""What a shipment can be told, and what happens to it. Its id is that of its order."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from orders.messages.kinds import ShipmentKind
from orders.messages.values import Address, Id, OrderItem, Text
from wherry import Asker, Command, Event, message

ShipmentStatus = Literal[
    "Requested", "Created", "Shipped", "InTransit", "OutForDelivery", "Delivered",
    "Failed", "Cancelled", "Returned",
]  # fmt: skip
Items = Annotated[tuple[OrderItem, ...], Meta(min_length=1, max_length=100)]


# -- what it can be told -------------------------------------------------------------------------


@message
class ShipmentResult:
    """How a shipment is: `tracking_number` once there is a label, `reason` when it failed."""

    shipment_id: str
    order_id: str
    status: ShipmentStatus
    tracking_number: str = ""
    reason: str = ""


@message
class CreateShipment(Command[ShipmentKind, ShipmentResult]):
    """Get a label from the carrier. The reply says whether there is one."""

    order_id: Id
    items: Items
    address: Address


@message
class UpdateShipmentStatus(Command[ShipmentKind, ShipmentResult]):
    """The parcel is somewhere; the order is told."""

    status: ShipmentStatus
    location: Text = ""


@message
class CancelShipment(Command[ShipmentKind, ShipmentResult]):
    """Send nothing. Refused as `illegal-transition` when the parcel is on its way."""

    order_id: Id
    reason: str


# -- what happens to it --------------------------------------------------------------------------


@message
class ShipmentRequested(Event):
    shipment_id: str
    order_id: str
    items: tuple[OrderItem, ...]
    address: Address
    asker: Asker[ShipmentResult]


@message
class ShipmentCreated(Event):
    """There is a label. Stored by the shipment, and by its order."""

    shipment_id: str
    order_id: str
    tracking_number: str


@message
class ShipmentFailed(Event):
    """Nothing will be sent. Stored by the shipment, and by its order."""

    shipment_id: str
    order_id: str
    reason: str


@message
class ShipmentCancelled(Event):
    shipment_id: str
    order_id: str
    reason: str


@message
class BookingCancelled(Event):
    """The carrier knows that it has nothing to fetch."""

    shipment_id: str


@message
class ShipmentStatusUpdated(Event):
    shipment_id: str
    status: ShipmentStatus
    location: str


@message
class ShipmentDelivered(Event):
    shipment_id: str
    order_id: str
    delivery_time: datetime
