"""What a product can be told, and what happens to it. A product is its own warehouse."""

from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta

from orders.messages.kinds import ProductKind
from orders.messages.values import (
    MOST_PRICE,
    Currency,
    Id,
    Money,
    Name,
    Quantity,
    require_money,
)  # fmt: skip
from wherry import Command, Event, message

Stock = Annotated[int, Meta(ge=0, le=1_000_000_000)]

LONGEST_HOLD = timedelta(days=7)


# -- what happens to a product -------------------------------------------------------------------


@message
class ProductRegistered(Event):
    name: str
    price: Money
    currency: str


@message
class StockUpdated(Event):
    """`quantity` is what lies there unreserved, whatever it was before."""

    quantity: int


@message
class ItemsReserved(Event):
    """Items are held for an order until `expires_at`."""

    order_id: str
    reservation_id: str
    product_id: str
    quantity: int
    expires_at: datetime


@message
class ReservationReleased(Event):
    """Items that were held for an order are there for anybody again."""

    order_id: str
    quantity: int


@message
class ReservationExpired(Event):
    """The same, because nobody bought them in time."""

    order_id: str
    quantity: int


@message
class ItemsSold(Event):
    order_id: str
    quantity: int


@message
class ItemsRestocked(Event):
    """Items that were sold are there again."""

    order_id: str
    quantity: int


# -- what it can be told -------------------------------------------------------------------------


@message
class StockLevel:
    """`on_hand` is there for anybody; what is reserved or sold is not part of it."""

    product_id: str
    on_hand: int
    reserved: int
    sold: int


@message
class ItemsAvailable:
    product_id: str
    quantity: int
    available: int
    price: Money
    currency: str


@message
class RegisterProduct(Command[ProductKind, None]):
    """Put a product into the catalog. The same again changes nothing."""

    name: Name
    price: Money
    currency: Currency

    def __post_init__(self) -> None:
        require_money(self.price, "price", MOST_PRICE)


@message
class UpdateStock(Command[ProductKind, StockLevel]):
    """So many lie there, beside those that are reserved."""

    quantity: Stock


@message
class CheckAvailability(Command[ProductKind, ItemsAvailable]):
    """Refused as `items-unavailable`, with the price all the same, when there are not so many."""

    quantity: Quantity


@message
class ReserveItems(Command[ProductKind, ItemsReserved]):
    """Hold items for an order; the same again gives the same reservation."""

    order_id: Id
    quantity: Quantity
    hold_for: timedelta | None = None

    def __post_init__(self) -> None:
        if self.hold_for is not None and not timedelta(0) < self.hold_for <= LONGEST_HOLD:
            raise ValueError(f"hold_for must be more than 0 and at most {LONGEST_HOLD.days} days")


@message
class ReleaseReservation(Command[ProductKind, ReservationReleased]):
    """Give back what is held for an order. Nothing held: nothing done, and 0 is the quantity."""

    order_id: Id


@message
class SellItems(Command[ProductKind, ItemsSold]):
    """What is held for an order belongs to it."""

    order_id: Id
    quantity: Quantity


@message
class RestockItems(Command[ProductKind, ItemsRestocked]):
    """What was sold to an order comes back: once."""

    order_id: Id
    quantity: Quantity


@message
class ExpireHold(Command[ProductKind, None]):
    """The time of a hold is over; `due` names which one."""

    order_id: Id
    due: datetime
