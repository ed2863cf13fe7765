"""UpdateOrderStatus: from each of the eleven states, to each of the eleven."""

from itertools import pairwise

import pytest

from orders.messages.order import (
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderState,
    UpdateOrderStatus,
)
from orders.order import order
from orders.order.lifecycle import (
    ADDED_TRANSITIONS,
    FAILED,
    FINAL,
    LIFECYCLE,
    NOT_BY_HAND,
    SEED_TRANSITIONS,
    STATES,
)
from tests.support.shop import ADDRESS, require_good
from tests.support.shop_states import in_state
from wherry import Event, Rejected
from wherry.testing import START, given

SEED = {(old, new) for old, states in SEED_TRANSITIONS.items() for new in states}
PAIRS = [(old, new) for old in STATES for new in STATES]


def test_there_are_eleven_states_and_ten_arrows() -> None:
    """S12 S17 S18 S19 S20 S21 S22 S23 S24 S25 S26 S27: as the seed draws them."""
    assert STATES == (
        "Pending", "PaymentProcessing", "PaymentConfirmed", "Preparing", "Shipped", "Delivered",
        "Cancelled", "PaymentFailed", "OutOfStock", "ShipmentFailed", "ReturnRequested",
    )  # fmt: skip
    assert {
        ("Pending", "PaymentProcessing"), ("PaymentProcessing", "PaymentConfirmed"),
        ("PaymentConfirmed", "Preparing"), ("Preparing", "Shipped"), ("Shipped", "Delivered"),
        ("Pending", "Cancelled"), ("PaymentProcessing", "PaymentFailed"),
        ("PaymentConfirmed", "OutOfStock"), ("Preparing", "ShipmentFailed"),
        ("Shipped", "ReturnRequested"),
    } == SEED  # fmt: skip


def test_what_was_added_to_the_seed_is_to_cancel_until_the_parcel_has_gone() -> None:
    """S16 S38: the additions are declared, and nothing else is in the table of Redis."""
    added = {(old, new) for old, states in ADDED_TRANSITIONS.items() for new in states}

    assert added == {
        ("PaymentProcessing", "Cancelled"), ("PaymentConfirmed", "Cancelled"),
        ("Preparing", "Cancelled"),
    }  # fmt: skip
    rules = {(old, new) for old, states in LIFECYCLE.items() for new in states}
    assert rules == SEED | added | {("", "Pending")}
    assert FINAL == {state for state in STATES if not LIFECYCLE[state]}


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_every_pair_of_states(old: OrderState, new: OrderState) -> None:
    """S15 S38: along the seed's arrows only; a refusal names both states, and all ends well."""
    shop = in_state(old)

    sent = shop.world.send("order/o1", UpdateOrderStatus(new))

    if (old, new) not in SEED:
        assert sent.rejected == "illegal-transition"
        assert sent.problem is not None
        assert f"from {old} to {new}" in sent.problem.detail
        assert sent.problem.data == {"from_status": old, "to_status": new}
    elif (old, new) in NOT_BY_HAND.items():
        assert sent.rejected == "not-by-hand"
    else:
        assert (new, new) == (sent.reply.status, shop.order_of().status)
    shop.finish()
    require_good(shop)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("Pending", "PaymentProcessing", id="S28"),
        pytest.param("PaymentProcessing", "PaymentConfirmed", id="S29"),
        pytest.param("PaymentConfirmed", "Preparing", id="S30"),
        pytest.param("Preparing", "Shipped", id="S31"),
        pytest.param("Shipped", "Delivered", id="S32"),
        pytest.param("Pending", "Cancelled", id="S33"),
        pytest.param("PaymentProcessing", "PaymentFailed", id="S34"),
        pytest.param("PaymentConfirmed", "OutOfStock", id="S35"),
        pytest.param("Preparing", "ShipmentFailed", id="S36"),
        pytest.param("Shipped", "ReturnRequested", id="S37"),
    ],
)
def test_every_arrow_is_taken_by_the_flow_or_by_hand(old: OrderState, new: OrderState) -> None:
    shop = in_state(old)

    by_hand = shop.world.send("order/o1", UpdateOrderStatus(new)).rejected != "not-by-hand"

    if not by_hand:
        shop.finish()
    assert (old, new) in moves(shop.world.events("order/o1"))


def moves(events: list[Event]) -> list[tuple[str, str]]:
    """The changes of status that events tell of."""
    statuses, state = [""], order.initial
    for event in events:
        state = order.appliers[type(event)](state, event)
        if state.status != statuses[-1]:
            statuses.append(state.status)
    return list(pairwise(statuses))


@pytest.mark.parametrize("new", sorted(FAILED - {"PaymentFailed", "OutOfStock"}))
def test_what_is_ended_by_hand_gives_everything_back(new: OrderState) -> None:
    """S15 S105: money and stock are where they were."""
    old: OrderState = "Pending" if new == "Cancelled" else "Preparing"
    shop = in_state(old)
    shop.world.send("order/o1", UpdateOrderStatus(new))
    shop.finish()

    assert ((10, 0, 0), "100.00") == (shop.stock(), str(shop.account_of().balance))
    assert shop.notices() == [("OrderCancelled", "ByHand" if new == "Cancelled" else new)]


def test_an_order_that_nobody_created_has_no_status() -> None:
    sent = given(order, key="o1").when(UpdateOrderStatus("Cancelled"))

    sent.then_rejected("illegal-transition", "order o1 cannot go from new to Cancelled")


def test_a_status_that_there_is_not_is_invalid() -> None:
    """S98: the type of a message says what may be in it."""
    sent = given(order, key="o1").when(UpdateOrderStatus("Lost"))  # type: ignore[arg-type]

    sent.then_rejected("invalid")


def test_the_store_itself_refuses_an_illegal_transition() -> None:
    """S12 S38: a handler that decided otherwise would be refused as well."""
    created = OrderCreated("o1", "ann", "acc", (), 1, "EUR", ADDRESS, "card", START, "c1")  # type: ignore[arg-type]
    cancelled = OrderCancelled("o1", "changed my mind")

    with pytest.raises(Rejected, match="from Cancelled to Delivered"):
        given(order, created, cancelled, OrderDelivered("o1", START))
