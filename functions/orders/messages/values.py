"""The words that all messages are made of: ids, money, items, addresses."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from wherry import Rejected, message

# Patterns are searched for, and Python's `$` also matches before a last newline: hence (?!\n).
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.~@-]+$(?!\n)", max_length=128)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Reason = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=200)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")]
Quantity = Annotated[int, Meta(ge=1, le=1_000_000)]
PaymentMethod = Annotated[str, Meta(min_length=1, max_length=50)]
#: An amount; in JSON text, never a number. What its limits are, `require_money` says: a message
#: with a field of this type calls it.
Money = Annotated[
    Decimal,
    Meta(
        description="More than 0, with at most 2 digits after the point",
        extra_json_schema={"pattern": r"^\d{1,18}(\.\d{1,2})?$"},
        examples=["12.50"],
    ),
]

CENT = Decimal("0.01")
ZERO = Decimal("0.00")
#: Sums of products of what is at most this stay far within the 28 digits of Decimal.
MOST_MONEY = Decimal(10) ** 18
MOST_PRICE = Decimal(10) ** 9

#: The longest id of an order, a payment or a shipment: ids of others are made of it.
LONGEST_ID = 100


@message
class OrderItem:
    """So many of one product."""

    product_id: Id
    quantity: Quantity


@message
class OrderLine:
    """So many of one product, at the price that it had when the order was created."""

    product_id: Id
    quantity: Quantity
    unit_price: Money


@message
class Address:
    """Where a parcel goes."""

    name: Name
    street: Name
    city: Name
    country: Annotated[str, Meta(min_length=2, max_length=100)]


def require_money(amount: Decimal, field: str, most: Decimal = MOST_MONEY) -> None:
    """Raise ValueError unless an amount is positive, has whole cents, and can be reckoned with."""
    # A NaN is neither more nor less than anything, and comparing it raises.
    if not amount.is_finite() or not 0 < amount <= most:
        raise ValueError(f"{field} must be more than 0 and at most {most:f}")
    if amount != amount.quantize(CENT):
        raise ValueError(f"{field} must have at most 2 digits after the point")


def cents(amount: Decimal) -> Decimal:
    """The same amount, written with two digits after the point."""
    return amount.quantize(CENT)


def require_short_id(key: str) -> None:
    """Refuse an id from which no further ids can be made."""
    if len(key) > LONGEST_ID:
        raise Rejected("id-too-long", f"the id has {len(key)} characters, {LONGEST_ID} are allowed")
