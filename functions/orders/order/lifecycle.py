"""The eleven states of an order, and what may follow what. Redis enforces both tables together."""

from typing import get_args

from orders.messages.order import OrderState

STATES: tuple[OrderState, ...] = get_args(OrderState)

#: The ten arrows of the seed's picture. `UpdateOrderStatus` goes along these only.
SEED_TRANSITIONS: dict[OrderState, tuple[OrderState, ...]] = {
    "Pending": ("PaymentProcessing", "Cancelled"),
    "PaymentProcessing": ("PaymentConfirmed", "PaymentFailed"),
    "PaymentConfirmed": ("Preparing", "OutOfStock"),
    "Preparing": ("Shipped", "ShipmentFailed"),
    "Shipped": ("Delivered", "ReturnRequested"),
}
#: What `CancelOrder` needs beside them: until the parcel is on its way, everything can be undone.
ADDED_TRANSITIONS: dict[OrderState, tuple[OrderState, ...]] = {
    "PaymentProcessing": ("Cancelled",),
    "PaymentConfirmed": ("Cancelled",),
    "Preparing": ("Cancelled",),
}
#: Arrows of the seed that nobody may take by hand: they would invent a payment.
NOT_BY_HAND: dict[OrderState, OrderState] = {
    "Pending": "PaymentProcessing",
    "PaymentProcessing": "PaymentConfirmed",
    "PaymentConfirmed": "Preparing",
}

LIFECYCLE = {"": ("Pending",)} | {
    state: SEED_TRANSITIONS.get(state, ()) + ADDED_TRANSITIONS.get(state, ()) for state in STATES
}

#: The order has come to nothing: what it held, bought or paid goes back.
FAILED: frozenset[str] = frozenset({"Cancelled", "PaymentFailed", "OutOfStock", "ShipmentFailed"})
#: Nothing follows. A requested return waits for the parcel, and stays what it is.
FINAL: frozenset[str] = FAILED | {"Delivered", "ReturnRequested"}
