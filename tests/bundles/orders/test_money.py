"""Money: exact, positive, in text - through commands, events, states and sums."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from orders.messages.account import CreditAccount, DebitAccount, ReturnFunds
from orders.messages.order import OrderCreated
from orders.messages.payment import ProcessPayment, RefundPayment
from orders.messages.product import RegisterProduct, UpdateStock
from orders.messages.values import OrderLine
from orders.order import Order
from tests.support.shop import ADDRESS, require_good, shop
from wherry.codec import codec_of
from wherry.errors import Invalid
from wherry.testing import START

OF_AMOUNTS: list[tuple[Any, dict[str, Any], str]] = [
    (CreditAccount, {"reason": "r"}, "amount"),
    (DebitAccount, {"order_id": "o1"}, "amount"),
    (ReturnFunds, {"order_id": "o1", "reference": "r"}, "amount"),
    (RegisterProduct, {"name": "n", "currency": "EUR"}, "price"),
    (RefundPayment, {}, "amount"),
    (
        ProcessPayment,
        {"order_id": "o1", "account_id": "a", "currency": "EUR", "payment_method": "card"},
        "amount",
    ),
]


@pytest.mark.parametrize(
    "wrong",
    [12.5, 12, True, -1, 0, "12,50", "1e3", "1E+2", "NaN", "Infinity", "-Infinity", "-0.01", "0",
     "0.00", "1.005", "0.001", "", " 1", "1_000", "+1", "sNaN", "1000000000000000001", "9" * 400],
)  # fmt: skip
@pytest.mark.parametrize(("command", "others", "field"), OF_AMOUNTS)
def test_what_is_no_amount_of_money_is_invalid(
    command: Any, others: dict[str, Any], field: str, wrong: Any
) -> None:
    """S102: floats, NaN, exponents, signs, nothing, and less than a cent are refused."""
    with pytest.raises(Invalid):
        codec_of(command).convert(others | {field: wrong}, "it")


@pytest.mark.parametrize("right", ["0.01", "12.5", "12.50", "12", "1000000000"])
@pytest.mark.parametrize(("command", "others", "field"), OF_AMOUNTS)
def test_what_is_an_amount_is_taken(
    command: Any, others: dict[str, Any], field: str, right: str
) -> None:
    made = codec_of(command).convert(others | {field: right}, "it")

    assert Decimal(right) == getattr(made, field)


amounts = st.decimals("0.01", "1000000000", places=2)


@forall(amounts, st.integers(1, 1_000_000), amounts)
def test_exact_decimals_survive_storage(price: Decimal, quantity: int, total: Decimal) -> None:
    """S99 S102: in events and in states, as text; what is read is what was written."""
    event = OrderCreated(
        "o1", "ann", "acc", (OrderLine("p1", quantity, price),), total, "EUR", ADDRESS, "card",
        START, "c1",
    )  # fmt: skip
    stored = codec_of(OrderCreated).encode(event)
    assert f'"total_amount":"{total}"'.encode() in stored
    assert codec_of(OrderCreated).decode(stored) == event

    state = Order(total_amount=total, refunded=price)
    assert codec_of(Order).decode(codec_of(Order).encode(state)) == state


@forall(st.lists(st.tuples(amounts, st.integers(1, 1_000_000)), min_size=1, max_size=5))
def test_sums_are_exact(items: list[tuple[Decimal, int]]) -> None:
    """S99 S102: in whole cents as Python's whole numbers have them."""
    total = sum((price * quantity for price, quantity in items), Decimal("0.00"))

    assert int(total * 100) == sum(int(price * 100) * quantity for price, quantity in items)


def test_a_tenth_is_a_tenth() -> None:
    """S102: three times 0.10 is 0.30, in every message of the flow."""
    found = shop()
    found.world.send("product/mint", RegisterProduct("Mint", Decimal("0.1"), "EUR"))
    found.world.send("product/mint", UpdateStock(5))
    placed = found.order("o1", ("mint", 3)).reply

    assert "0.30" == str(placed.total_amount)
    assert "99.70" == str(found.account_of().balance)
    assert "0.30" == found.captured()
    require_good(found)
