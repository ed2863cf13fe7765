"""An order that waits for long looks after itself: it asks again, and in the end it turns back."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from orders.messages.order import (
    CancelOrder,
    CheckOrderStatus,
    OrderChecked,
    OrderState,
    UpdateOrderStatus,
)
from orders.messages.outside import BookShipment, Capture
from orders.order import order
from orders.order.check import PATIENCE
from tests.support.shop import TIMEOUT, Shop, require_good, shop
from tests.support.shop_states import (
    confirmed,
    delivered,
    in_state,
    labelled,
    pending,
    preparing,
    processing,
)
from tests.support.traffic import watch
from wherry.engine.supervision import Attention
from wherry.testing import World

ROOT = Path(__file__).parents[3]
SECOND = timedelta(seconds=1)


def checks(found: Shop) -> list[OrderChecked]:
    events = found.world.events("order/o1")
    return [event for event in events if isinstance(event, OrderChecked)]


def test_thirty_seconds_without_a_message_and_the_order_checks_itself() -> None:
    """S108 S109: it sends CheckOrderStatus to itself, again and again while it waits."""
    found = processing()
    assert order.receive_timeout is not None
    assert (TIMEOUT, CheckOrderStatus()) == (
        order.receive_timeout.after, order.receive_timeout.command
    )  # fmt: skip
    seen = watch(found.world)

    found.world.advance(TIMEOUT - SECOND)
    assert [] == seen
    found.world.advance(SECOND)

    assert "order→order CheckOrderStatus" == seen[0].route
    assert "order→payment ProcessPayment" == seen[1].route
    assert [OrderChecked("o1", 1, ("payment",))] == checks(found)


def test_any_message_resets_the_timer() -> None:
    """S111: also a question."""
    found = processing()
    for _ in range(5):
        found.world.advance(TIMEOUT - SECOND)
        asked = found.world.send("order/o1", CheckOrderStatus())
        assert ("o1", "PaymentProcessing", ("payment",)) == (
            asked.reply.order_id, asked.reply.status, asked.reply.waiting_for
        )  # fmt: skip

    assert [] == checks(found)


@pytest.mark.parametrize("of", [delivered, labelled])
def test_an_order_that_waits_for_nothing_has_no_timer(of: Callable[[], Shop]) -> None:
    """S108: only who waits can be let down."""
    found = of()

    assert {} == found.world.timers("order/o1")
    assert () == found.world.send("order/o1", CheckOrderStatus()).reply.waiting_for


def test_a_status_can_be_asked_of_what_is_not_there() -> None:
    found = shop()

    assert "" == found.world.send("order/o9", CheckOrderStatus()).reply.status
    assert [] == found.world.events("order/o9")


def test_asking_again_charges_nothing_again() -> None:
    """S107 S110: the payment says that it is on its way; the order goes on waiting."""
    found = processing()
    found.wait(3)
    assert 1 == len(found.world.calls(Capture))

    found.finish()

    assert "Preparing" == found.order_of().status
    require_good(found)


@pytest.mark.parametrize(
    ("state", "ends"),
    [
        ("Pending", "Cancelled"), ("PaymentProcessing", "PaymentFailed"),
        ("PaymentConfirmed", "OutOfStock"), ("Preparing", "ShipmentFailed"),
    ],
)  # fmt: skip
def test_who_does_not_answer_in_time_turns_the_order_back(
    state: OrderState, ends: OrderState
) -> None:
    """S110: compensated as if it had failed; what comes after all goes back as well."""
    found = in_state(state)
    found.wait(PATIENCE)
    assert state == found.order_of().status

    found.wait()
    assert (ends, "TimedOut") == (found.order_of().status, found.order_of().reason)
    found.finish()

    told = "TimedOut" if ends == "Cancelled" else ends
    assert [("OrderCancelled", told)] == found.notices()
    assert ((10, 0, 0), "100.00") == (found.stock(), str(found.account_of().balance))
    require_good(found)


def test_a_payment_that_succeeds_after_the_order_has_given_up_is_refunded() -> None:
    """S43 S110: late PaymentSucceeded."""
    found = processing()
    found.wait(PATIENCE + 1)
    assert ("PaymentFailed", ("payment",)) == (found.order_of().status, found.order_of().open)
    assert [("OrderCancelled", "PaymentFailed")] == found.notices()

    found.finish()

    assert ("Refunded", "0.00") == (found.payment_of().status, found.captured())
    assert found.order_of().settled
    require_good(found)


def test_a_label_that_comes_after_the_order_has_given_up_is_cancelled() -> None:
    """S72 S110: nobody waits for it any more."""
    found = preparing()
    found.wait(PATIENCE + 1)
    found.finish()

    assert ("CancelBooking", "cancel-o1") in found.outside.asked
    assert ("ShipmentFailed", "Cancelled") == (found.order_of().status, found.shipment_of().status)
    require_good(found)


def test_an_order_that_was_shipped_by_hand_waits_for_its_label_for_ever() -> None:
    """S110: there is nothing to turn back to."""
    found = preparing()
    found.world.send("order/o1", UpdateOrderStatus("Shipped"))
    found.wait(PATIENCE + 2)
    assert ("Shipped", ("shipment",)) == (found.order_of().status, found.order_of().open)

    found.finish()

    assert ("track-label-o1", ()) == (found.order_of().tracking_number, found.order_of().open)
    require_good(found)


def test_what_a_product_may_have_forgotten_is_not_asked_again_without_need() -> None:
    """S106 S110: a restock that is only late comes once; one that has failed comes again."""
    found = labelled()
    found.world.hold("product/p1")
    found.world.send("order/o1", CancelOrder("changed my mind"))
    assert ("restock:p1",) == found.order_of().open
    found.wait(3)
    seen = watch(found.world)
    found.finish()

    assert 1 == [message.route for message in seen].count("order→product RestockItems")
    require_good(found)


def test_an_order_that_goes_back_does_not_fill_its_log_with_waiting() -> None:
    """S105 S110: the gateway may be down for days."""
    found = processing()
    found.world.send("order/o1", CancelOrder("changed my mind"))
    before = found.world.version("order/o1")
    found.wait(100)

    assert before == found.world.version("order/o1")
    found.finish()
    assert found.order_of().settled


def test_what_moves_gives_new_patience() -> None:
    """S110: ten checks without anything, not ten checks."""
    found = shop(waiting=[Capture, BookShipment])
    found.order()
    found.wait(PATIENCE - 1)
    found.settle(Capture, found.outside.answer(found.world.calls(Capture)[0]))
    found.wait(PATIENCE - 1)

    assert "Preparing" == found.order_of().status
    found.finish()
    require_good(found)


@pytest.mark.parametrize("of", [confirmed, preparing])
def test_what_goes_back_is_asked_for_for_ever(of: Callable[[], Shop]) -> None:
    """S105 S110: a product that has stopped is asked until it is there again."""
    found = of()
    stop(found.world, "product/p1")
    found.world.release()
    found.world.send("order/o1", CancelOrder("changed my mind"))
    found.wait(PATIENCE * 3)
    assert "Cancelled" == found.order_of().status
    assert found.order_of().open in {("sell:p1",), ("restock:p1",)}

    found.world.restart("product/p1")
    found.wait(2)
    found.finish()

    assert (10, 0, 0) == found.stock()
    assert found.order_of().settled
    require_good(found)


@pytest.mark.parametrize("of", ["product/p1", "account/acc", "payment/o1", "shipment/o1"])
def test_who_has_stopped_is_asked_again_and_then_the_order_goes_on(of: str) -> None:
    """S110 S137: an operator needs less time than the order has patience."""
    found = pending()
    stop(found.world, of)
    found.finish()
    found.wait(2)
    assert found.order_of().open
    assert "StepFailed" in found.types("order/o1")

    found.world.restart(of)
    found.wait()

    assert "Preparing" == found.order_of().status
    require_good(found)


@pytest.mark.parametrize("of", ["product/p1", "account/acc", "payment/o1", "shipment/o1"])
def test_who_stays_stopped_for_too_long_turns_the_order_back(of: str) -> None:
    """S105 S110: and what it has to give back, it gives back when it goes on."""
    found = pending()
    stop(found.world, of)
    found.finish()
    found.wait(PATIENCE + 1)
    found.world.restart(of)
    found.wait(2)

    assert "TimedOut" == found.order_of().reason
    assert found.order_of().settled
    assert ((10, 0, 0), "100.00") == (found.stock(), str(found.account_of().balance))
    require_good(found)


def test_a_payment_asks_again_until_the_account_has_its_money_back() -> None:
    """S40 S105: the account had stopped when the capture was declined."""
    found = processing()
    stop(found.world, "account/acc")
    found.outside.next(Capture, "decline")
    found.finish()
    assert ("Processing", ("return",)) == (found.payment_of().status, found.payment_of().again)
    found.wait(2)

    found.world.restart("account/acc")
    found.wait()

    assert ("Failed", ()) == (found.payment_of().status, found.payment_of().again)
    assert "100.00" == str(found.account_of().balance)
    require_good(found)


def stop(world: World, address: str) -> None:
    """Let it be as if a handler of an entity had raised."""
    world.attention[address] = Attention(stopped_at=world.clock.ms, directive="stop")


def test_the_settings_come_from_the_environment() -> None:
    """S108: thirty seconds, unless it says otherwise."""
    code = "from orders import settings; print(settings.RECEIVE_TIMEOUT, settings.GATEWAY_URL)"
    path = os.pathsep.join(["runtime", "functions"])
    told = {"ORDERS_RECEIVE_TIMEOUT": "1.5", "ORDERS_GATEWAY_URL": "http://there/"}
    said = [
        subprocess.run(
            [sys.executable, "-c", code], env=env | {"PYTHONPATH": path}, cwd=ROOT,
            capture_output=True, text=True, check=True,
        ).stdout.strip()
        for env in ({}, told)
    ]  # fmt: skip

    assert ["0:00:30", "0:00:01.500000 http://there"] == said
