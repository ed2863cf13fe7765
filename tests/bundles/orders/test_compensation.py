"""What goes wrong; and that everything goes back, and the customer is told."""

from decimal import Decimal

import pytest

from orders.messages.account import CloseAccount, OpenAccount
from orders.messages.order import CancelOrder, OrderState
from orders.messages.outside import (
    BookShipment,
    Capture,
    Refund,
    VoidCapture,
)
from orders.messages.product import RegisterProduct, ReleaseReservation, UpdateStock
from orders.messages.shipment import UpdateShipmentStatus
from tests.support.shop import Shop, require_good, shop
from tests.support.shop_states import (
    in_state,
    labelled,
    pending,
    preparing,
    processing,
)
from tests.support.traffic import watch


def require_nothing_kept(found: Shop) -> None:
    """All is where it was before the order."""
    assert ((10, 0, 0), (10, 0, 0)) == (found.stock("p1"), found.stock("p2"))
    assert "100.00" == str(found.account_of().balance)
    assert not Decimal(found.captured())
    assert found.order_of().settled
    require_good(found)


# -- before it exists ----------------------------------------------------------------------------


def test_an_order_of_an_unknown_product_leaves_nothing() -> None:
    found = shop()

    sent = found.order("o1", ("p1", 1), ("p9", 1))

    assert "unknown-product" == sent.rejected
    assert [] == found.world.events("order/o1")
    assert "done" == found.order("o1").status


def test_an_order_id_is_used_once() -> None:
    """S106: the second order of an id is refused, also when both were asked for at once."""
    found = shop()
    first, second = found.order(run=False), found.order(run=False)
    found.world.run()

    assert ["done", "order-exists"] == [first.status, second.rejected]
    assert "order-exists" == found.order().rejected
    require_good(found)


def test_products_of_one_order_have_one_currency() -> None:
    found = shop()
    found.world.send("product/p3", RegisterProduct("Tea", Decimal(3), "GBP"))
    found.world.send("product/p3", UpdateStock(5))

    assert "currency-mismatch" == found.order("o1", ("p1", 1), ("p3", 1)).rejected
    assert [] == found.world.events("order/o1")


def test_an_id_that_is_too_long_for_what_is_made_of_it_is_refused() -> None:
    found = shop()

    assert "id-too-long" == found.order("o" * 101).rejected
    assert "done" == found.order("o" * 100).status
    require_good(found)


# -- the account ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "reason"),
    [("nobody", "AccountNotOpen"), ("closed", "AccountNotOpen"), ("dollars", "CurrencyMismatch")],
)
def test_an_account_that_is_not_valid_cancels_the_order(account: str, reason: str) -> None:
    """S50 S51 S52: before anything is charged; what was held goes back."""
    found = shop()
    found.world.send("account/closed", OpenAccount("Bob", "EUR"))
    found.world.send("account/closed", CloseAccount())
    found.world.send("account/dollars", OpenAccount("Bob", "USD"))

    found.order(account=account)

    assert ("Cancelled", reason) == (found.order_of().status, found.order_of().reason)
    assert [("OrderCancelled", reason)] == found.notices()
    assert [] == found.outside.asked
    require_nothing_kept(found)


# -- the payment ---------------------------------------------------------------------------------


def test_a_payment_that_fails_is_compensated_as_the_seed_draws_it() -> None:
    """S24 S34 S90 S91 S92 S93 S105: failed, released, told - in this order."""
    found = shop()
    found.outside.next(Capture, "decline")
    seen = watch(found.world)

    found.order()

    routes = [message.route for message in seen]
    failed = routes.index("payment→order answer to ProcessPayment")
    assert routes[failed:] == [
        "payment→order answer to ProcessPayment",
        "order→product ReleaseReservation",
        "product→order answer to ReleaseReservation",
        "order→customer Notify",
    ]
    assert found.types("order/o1")[-2:] == ["PaymentProcessed", "ReservationReleased"]
    assert ("PaymentFailed", "card-declined") == (found.order_of().status, found.order_of().reason)
    assert [("OrderCancelled", "PaymentFailed")] == found.notices()
    require_nothing_kept(found)


def test_who_has_too_little_money_pays_nothing() -> None:
    """S44 S53 S56: refused by the account; the gateway is never asked."""
    found = shop()
    found.order("o1", ("p1", 10), ("p2", 1))

    assert "insufficient-funds" == found.payment_of().reason
    assert [] == found.outside.asked
    require_nothing_kept(found)


def test_a_gateway_that_is_down_for_too_long_fails_the_payment() -> None:
    """S40 S44: certainly not captured; the debit goes back."""
    found = shop()
    found.outside.next(Capture, "failed")
    found.order()

    assert "gave-up" == found.payment_of().reason
    require_nothing_kept(found)


@pytest.mark.parametrize("fate", ["unknown", "hang"])
def test_a_capture_whose_outcome_nobody_knows_is_voided(fate: str) -> None:
    """S41 S44: captured or not, the gateway undoes it before the debit goes back."""
    found = shop(waiting=[VoidCapture])
    found.outside.next(Capture, fate)
    found.order()
    assert ("Processing", "80.00") == (found.payment_of().status, str(found.account_of().balance))

    found.finish()

    assert ("Failed", "outcome-unknown") == (found.payment_of().status, found.payment_of().reason)
    assert [("Capture", "capture-o1"), ("VoidCapture", "void-o1")] == found.outside.asked
    require_nothing_kept(found)


# -- the stock -----------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [("p1",), ("p2",), ("p1", "p2")])
def test_unavailable_while_pending_is_cancelled(gone: tuple[str, ...]) -> None:
    """S33 S62 S63: whichever answers first or last, what is held goes back."""
    found = shop()
    world = found.world
    found.order("o1", ("p1", 2), ("p2", 3), run=False)
    while not world.events("order/o1"):
        world.step()
    for name in gone:
        _overtake(found, name)
    world.run()

    assert ("Cancelled", "ItemsUnavailable") == (found.order_of().status, found.order_of().reason)
    assert [("OrderCancelled", "ItemsUnavailable")] == found.notices()
    for name in gone:
        world.send(f"product/{name}", UpdateStock(10))
    require_nothing_kept(found)


def _overtake(found: Shop, name: str) -> None:
    """Take the stock of a product away before the order's reservation comes to it."""
    partition = found.world._partitions[found.world.registry.partition_of(f"product/{name}")]
    waiting = list(partition.inbox)
    partition.inbox.clear()
    found.world.tell(f"product/{name}", UpdateStock(0))
    partition.inbox.extend(waiting)


def test_a_reservation_that_was_lost_after_the_payment_is_out_of_stock() -> None:
    """S25 S35: refunded, and told."""
    found = processing()
    found.world.send("product/p1", ReleaseReservation("o1"))
    found.finish()

    assert ("OutOfStock", "reservation-lost") == (
        found.order_of().status, found.order_of().reason
    )  # fmt: skip
    assert [("OrderCancelled", "OutOfStock")] == found.notices()
    assert "Refunded" == found.payment_of().status
    require_nothing_kept(found)


def test_of_several_products_one_is_lost_and_the_sold_ones_come_back() -> None:
    """S25 S105: sold to the order, and then restocked."""
    found = shop(waiting=[Capture])
    found.order("o1", ("p1", 2), ("p2", 3))
    found.world.send("product/p1", ReleaseReservation("o1"))
    found.finish()

    assert "OutOfStock" == found.order_of().status
    assert "ItemsRestocked" in found.types("product/p2")
    require_nothing_kept(found)


# -- the shipment --------------------------------------------------------------------------------


@pytest.mark.parametrize("fate", ["decline", "failed", "unknown", "hang"])
def test_a_shipment_that_fails_refunds_and_restocks(fate: str) -> None:
    """S26 S36 S105: also when nobody knows whether there is a label: then it is cancelled."""
    found = shop()
    found.outside.next(BookShipment, fate)
    found.order()

    assert "ShipmentFailed" == found.order_of().status
    assert [("OrderCancelled", "ShipmentFailed")] == found.notices()
    cancelled = ("CancelBooking", "cancel-o1") in found.outside.asked
    assert cancelled == (fate in {"unknown", "hang"})
    require_nothing_kept(found)


def test_a_carrier_that_changes_its_mind_fails_the_order() -> None:
    """S36: there was a label, and it is cancelled."""
    found = labelled()
    found.world.send("shipment/o1", UpdateShipmentStatus("Failed", "lorry-broken"))

    assert ("ShipmentFailed", "lorry-broken") == (found.order_of().status, found.order_of().reason)
    assert [("OrderConfirmed", ""), ("OrderCancelled", "ShipmentFailed")] == found.notices()
    require_nothing_kept(found)


def test_a_carrier_that_refuses_before_its_label_comes() -> None:
    """S36: the label that comes afterwards is cancelled."""
    found = preparing()
    found.world.send("shipment/o1", UpdateShipmentStatus("Failed"))
    assert "ShipmentFailed" == found.order_of().status

    found.finish()

    assert ("CancelBooking", "cancel-o1") in found.outside.asked
    require_nothing_kept(found)


# -- cancelling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["Pending", "PaymentProcessing", "PaymentConfirmed", "Preparing"])
def test_until_the_parcel_has_gone_an_order_can_be_cancelled(state: OrderState) -> None:
    """S16 S23: whatever is under way is waited for, and goes back."""
    found = in_state(state)

    sent = found.world.send("order/o1", CancelOrder("changed my mind"))
    assert ("o1", "Cancelled") == (sent.reply.order_id, sent.reply.status)
    found.finish()

    assert [("OrderCancelled", "changed my mind")] == found.notices()
    require_nothing_kept(found)


def test_an_order_with_a_label_can_be_cancelled_and_the_carrier_hears_of_it() -> None:
    """S16 S70: the booking is cancelled."""
    found = labelled()

    found.world.send("order/o1", CancelOrder("changed my mind"))

    assert "Cancelled" == found.shipment_of().status
    assert "BookingCancelled" in found.types("shipment/o1")
    require_nothing_kept(found)


@pytest.mark.parametrize(
    "state",
    ["Shipped", "Delivered", "Cancelled", "PaymentFailed", "OutOfStock", "ShipmentFailed",
     "ReturnRequested"],
)  # fmt: skip
def test_then_it_cannot_be_cancelled(state: OrderState) -> None:
    """S16 S38: the refusal names both states; a cancelled order is not cancelled again."""
    found = in_state(state)

    sent = found.world.send("order/o1", CancelOrder("changed my mind"))

    assert "illegal-transition" == sent.rejected
    assert sent.problem is not None
    assert f"from {state} to Cancelled" in sent.problem.detail
    require_good(found)


def test_a_payment_that_succeeds_after_the_cancel_is_refunded() -> None:
    """S16 S43 S105: cancel and capture cross each other."""
    found = processing()
    found.world.send("order/o1", CancelOrder("changed my mind"))
    assert [("OrderCancelled", "changed my mind")] == found.notices()
    assert ("payment",) == found.order_of().open

    found.settle(Capture, found.outside.answer(found.world.calls(Capture)[0]))

    assert "Refunded" == found.payment_of().status
    require_nothing_kept(found)


def test_a_payment_that_fails_after_the_cancel_changes_nothing() -> None:
    found = processing()
    found.world.send("order/o1", CancelOrder("changed my mind"))
    found.outside.next(Capture, "decline")
    found.finish()

    assert "Cancelled" == found.order_of().status
    assert [("OrderCancelled", "changed my mind")] == found.notices()
    require_nothing_kept(found)


@pytest.mark.parametrize("seed", range(20))
def test_a_cancel_races_the_whole_flow(seed: int) -> None:
    """S135 S137: wherever it comes in, all adds up - and it is done, or refused with a reason."""
    found = shop(seed=seed)
    found.order("o1", ("p1", 2), ("p2", 1), run=False)
    for _ in range(seed):
        found.world.step()
    sent = found.world.tell("order/o1", CancelOrder("changed my mind"))
    found.world.run()

    cancelled = found.order_of().status == "Cancelled"
    assert cancelled == (sent.status == "done")
    require_good(found)


def test_a_parcel_that_has_gone_wins_against_a_cancel() -> None:
    """S16 S31: the carrier was faster than the message to stop it."""
    found = labelled()
    found.world.tell("shipment/o1", UpdateShipmentStatus("Shipped"))
    sent = found.world.tell("order/o1", CancelOrder("changed my mind"))
    found.world.run()

    assert ("illegal-transition", "Shipped") == (sent.rejected, found.order_of().status)
    require_good(found)


def test_an_account_that_was_closed_gets_its_money_back() -> None:
    """S48 S105: what was debited can always come back."""
    found = processing()
    found.world.send("account/acc", CloseAccount())
    found.outside.next(Capture, "decline")
    found.finish()

    assert "closed" == found.account_of().status
    require_nothing_kept(found)


def test_a_refund_takes_its_time_and_the_customer_does_not_wait_for_it() -> None:
    """S93: told as soon as nothing is held any more."""
    found = shop(waiting=[Refund])
    found.outside.next(BookShipment, "decline")
    found.order()

    assert [("OrderCancelled", "ShipmentFailed")] == found.notices()
    assert ("refund",) == found.order_of().open
    found.finish()
    require_nothing_kept(found)


def test_a_release_that_comes_twice_is_one() -> None:
    """S65 S66 S106: the second says that nothing was held."""
    found = pending()
    found.world.send("order/o1", CancelOrder("changed my mind"))
    found.finish()

    again = found.world.send("product/p1", ReleaseReservation("o1"))

    assert 0 == again.reply.quantity
    require_nothing_kept(found)
