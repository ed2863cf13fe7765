"""Parcels that come back, and payments that go back in parts."""

from decimal import Decimal

import pytest

from orders.messages.order import AcceptReturn, OrderState, RequestReturn, UpdateOrderStatus
from orders.messages.outside import Refund
from orders.messages.payment import RefundPayment
from orders.messages.shipment import UpdateShipmentStatus
from orders.order.lifecycle import STATES
from tests.support.shop import require_good, shop
from tests.support.shop_states import in_state, labelled, return_requested, shipped
from wherry import Rejected


def test_a_return_that_is_accepted_refunds_and_restocks() -> None:
    """S27 S37 S45 S105: the order stays what it is; money and stock are where they were."""
    found = return_requested()
    assert "too small" == found.order_of().reason

    sent = found.world.send("order/o1", AcceptReturn())

    assert "ReturnRequested" == sent.reply.status
    assert ("restock:p1", "refund") == sent.reply.waiting_for
    assert ("ReturnRequested", "20.00", True) == (
        found.order_of().status, str(found.order_of().refunded), found.order_of().settled
    )  # fmt: skip
    assert ((10, 0, 0), "100.00") == (found.stock(), str(found.account_of().balance))
    require_good(found)


def test_a_return_is_accepted_once() -> None:
    """S106: the second time changes nothing."""
    found = return_requested()
    for _ in range(2):
        assert "done" == found.world.send("order/o1", AcceptReturn()).status

    assert 1 == found.types("order/o1").count("ReturnAccepted")
    require_good(found)


def test_a_return_is_of_a_parcel_that_is_under_way() -> None:
    """S37 S38: in any other state it is refused."""
    for state in STATES:
        found = in_state(state)
        sent = found.world.send("order/o1", RequestReturn("too small"))
        assert sent.rejected == (None if state == "Shipped" else "illegal-transition"), state


@pytest.mark.parametrize("state", sorted(set(STATES) - {"ReturnRequested"}))
def test_what_nobody_wants_to_return_is_not_accepted(state: OrderState) -> None:
    found = in_state(state)

    assert "no-return-requested" == found.world.send("order/o1", AcceptReturn()).rejected


def test_a_carrier_that_brings_it_back_asks_for_the_return() -> None:
    """S37 S73: in place of the customer."""
    found = shipped()
    found.world.send("shipment/o1", UpdateShipmentStatus("Returned", "nobody at home"))

    assert ("ReturnRequested", "ReturnedByCarrier") == (
        found.order_of().status, found.order_of().reason
    )  # fmt: skip


@pytest.mark.parametrize("status", ["InTransit", "Delivered"])
def test_what_the_parcel_does_then_does_not_matter(status: str) -> None:
    """S38: a requested return is final."""
    found = return_requested()
    found.world.send("shipment/o1", UpdateShipmentStatus(status))  # type: ignore[arg-type]

    assert "ReturnRequested" == found.order_of().status
    require_good(found)


def test_a_payment_is_refunded_in_parts() -> None:
    """S45 S47: each part goes to the card and to the account; the last one is the rest."""
    found = labelled()
    first = found.world.send("payment/o1", RefundPayment(Decimal("7.50")))
    assert ("7.50", "7.50", "PartiallyRefunded") == (
        str(first.reply.amount), str(first.reply.refunded), first.reply.status
    )  # fmt: skip
    too_much = found.world.send("payment/o1", RefundPayment(Decimal("12.51")))
    assert "refund-exceeds-payment" == too_much.rejected
    rest = found.world.send("payment/o1", RefundPayment())

    assert ("12.50", "Refunded") == (str(rest.reply.amount), rest.reply.status)
    assert ("0.00", "100.00") == (found.captured(), str(found.account_of().balance))


def test_what_was_refunded_by_hand_is_not_refunded_again() -> None:
    """S45 S105: a return gives back the rest."""
    found = shipped()
    found.world.send("payment/o1", RefundPayment(Decimal("7.50")))
    found.world.send("order/o1", RequestReturn("too small"))
    found.world.send("order/o1", AcceptReturn())

    assert "20.00" == str(found.order_of().refunded)
    assert ("0.00", "100.00") == (found.captured(), str(found.account_of().balance))
    require_good(found)


def test_refunds_at_the_same_time_do_not_exceed_the_payment() -> None:
    """S45 S135: those that are under way count."""
    found = labelled()
    sent = [
        found.world.send("payment/o1", RefundPayment(Decimal("8.00")), run=False) for _ in range(4)
    ]
    found.world.run()

    assert ["done", "done", "rejected", "rejected"] == [each.status for each in sent]
    assert "4.00" == found.captured()


def test_a_refund_that_the_gateway_refuses_is_asked_for_until_it_is_done() -> None:
    """S40 S105 S110: an order does not give up what it owes."""
    found = shop(waiting=[Refund])
    found.order()
    found.world.send("shipment/o1", UpdateShipmentStatus("Shipped"))
    found.world.send("order/o1", UpdateOrderStatus("ReturnRequested"))
    found.world.send("order/o1", AcceptReturn())
    found.settle(Refund, Rejected("closed-today"))
    assert (("refund",), ("refund",)) == (found.order_of().open, found.order_of().again)

    found.wait()
    found.finish()

    assert "100.00" == str(found.account_of().balance)
    require_good(found)
