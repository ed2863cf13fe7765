"""The happy path: from the customer's order to the parcel on its way, and to the door."""

from itertools import pairwise

import pytest

from orders.messages.outside import BookShipment, Capture
from orders.messages.shipment import UpdateShipmentStatus
from orders.order.lifecycle import STATES
from tests.support.shop import require_good, shop
from tests.support.shop_states import delivered, in_state
from tests.support.traffic import watch
from wherry.testing import World

#: The seed's fifteen messages. The second, `create actor`, is what the first one does.
HAPPY = [
    ("S75 S76", "→order CreateOrder"),
    ("S77", "order→product CheckAvailability"),
    ("S78", "product→order answer to CheckAvailability"),
    ("S79", "order→product ReserveItems"),
    ("S80", "product→order answer to ReserveItems"),
    ("S81", "order→account ValidateAccount"),
    ("S82", "account→order answer to ValidateAccount"),
    ("S83", "order→payment ProcessPayment"),
    ("S84", "payment→account DebitAccount"),
    ("S85", "account→payment answer to DebitAccount"),
    ("", "gateway→payment answer to Capture"),
    ("S86", "payment→order answer to ProcessPayment"),
    ("", "order→product SellItems"),
    ("", "product→order answer to SellItems"),
    ("S87", "order→shipment CreateShipment"),
    ("", "carrier→shipment answer to BookShipment"),
    ("S88", "shipment→order answer to CreateShipment"),
    ("S89", "order→customer Notify"),
]


@pytest.mark.parametrize("partitions", [1, 4, 16])
def test_the_happy_path_is_the_seeds_in_its_order(partitions: int) -> None:
    """S75 S76 S77 S78 S79 S80 S81 S82 S83 S84 S85 S86 S87 S88 S89: each message, once."""
    found = shop(partitions=partitions)
    seen = watch(found.world)

    found.order()

    assert [route for _, route in HAPPY] == [message.route for message in seen]
    require_good(found)


def test_the_happy_path_has_one_correlation_id() -> None:
    """S125 S129: the first message's, on all messages and on all events that follow."""
    found = shop()
    seen = watch(found.world)

    found.order(id="the-order")

    assert {"the-order"} == {message.corr for message in seen}
    for address in ("order/o1", "payment/o1", "shipment/o1", "customer/ann"):
        assert {"the-order"} == {logged.corr for logged in found.world.log(address)}
    # Each message names the one that led to it, but for the calls to the outside in between.
    ids = {message.id for message in seen}
    from_outside = [m.route for m in seen[1:] if m.cause not in ids]
    assert from_outside == [
        "gateway→payment answer to Capture", "carrier→shipment answer to BookShipment"
    ]  # fmt: skip


def test_the_order_is_answered_before_anything_is_reserved() -> None:
    """S13 S14 S60 S61: the reply has the total of the prices that the products told."""
    found = shop()
    found.world.hold("product/p2")

    sent = found.order("o1", ("p1", 2), ("p2", 3), run=False)
    found.world.run()
    assert sent.status == "pending"
    assert [] == found.world.events("order/o1")

    found.world.release()
    found.world.run()
    placed = sent.reply
    assert ("o1", "Pending", "27.50", "EUR") == (
        placed.order_id, placed.status, str(placed.total_amount), placed.currency
    )  # fmt: skip


def test_the_trail_of_a_delivered_order_is_the_seeds() -> None:
    """S127 S128 S138: all that happened to it, in the order in which it did."""
    found = delivered()

    assert found.types("order/o1") == [
        "OrderCreated", "ItemsReserved", "PaymentStarted", "PaymentProcessed", "ItemSold",
        "OrderPrepared", "ShipmentCreated", "OrderShipped", "OrderDelivered",
    ]  # fmt: skip
    assert found.order_of().settled
    require_good(found)


def test_everybody_has_done_its_part() -> None:
    """S39 S41 S43 S57 S68 S70 S72: charged, sold, labelled - once."""
    found = shop()
    found.order()

    order = found.order_of()
    assert ("Preparing", "o1", "o1", "o1", "track-label-o1") == (
        order.status, order.reservation_id, order.payment_id, order.shipment_id,
        order.tracking_number,
    )  # fmt: skip
    assert (8, 0, 2) == found.stock()
    assert ("80.00", "20.00") == (str(found.account_of().balance), found.captured())
    assert ("Succeeded", "tx-capture-o1") == (
        found.payment_of().status, found.payment_of().transaction_id
    )  # fmt: skip
    assert ("Created", "track-label-o1") == (
        found.shipment_of().status, found.shipment_of().tracking_number
    )  # fmt: skip
    assert [("OrderConfirmed", "")] == found.notices()
    assert [("Capture", "capture-o1"), ("BookShipment", "label-o1")] == found.outside.asked


def test_the_customer_hears_at_the_label_not_at_the_payment() -> None:
    """S89: paid is not confirmed."""
    found = shop(waiting=[BookShipment])
    found.order()
    assert ("Preparing", []) == (found.order_of().status, found.notices())

    found.finish()

    assert [("OrderConfirmed", "")] == found.notices()


def test_the_state_shows_where_the_order_is_in_between() -> None:
    """S140: who looks sees the step, and what it waits for."""
    waits = {
        "Pending": ("reserve:p1",), "PaymentProcessing": ("payment",),
        "PaymentConfirmed": ("sell:p1",), "Preparing": ("shipment",),
    }  # fmt: skip
    for state, waiting in waits.items():
        assert waiting == in_state(state).order_of().open  # type: ignore[arg-type]


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_what_its_log_tells(state: str) -> None:
    """S4 S94 S96 S97: wherever an order is, its events alone lead there."""
    found = in_state(state)  # type: ignore[arg-type]

    found.world.check()
    assert found.world.replay("order/o1") == found.order_of()


def test_several_products_are_reserved_at_once_and_all_of_them() -> None:
    """S63 S64 S101: one event for each, and one when all are held."""
    found = shop(waiting=[Capture])
    found.order("o1", ("p1", 2), ("p2", 3))

    assert found.types("order/o1")[1:3] == ["ItemReserved", "ItemsReserved"]
    assert ((8, 2, 0), (7, 3, 0)) == (found.stock("p1"), found.stock("p2"))


@pytest.mark.parametrize("seed", range(5))
def test_many_orders_at_once_do_not_disturb_each_other(seed: int) -> None:
    """S2 S10 S11 S103 S135: each its own, whatever comes first."""
    found = shop(seed=seed, batch=5)
    sent = [found.order(f"o{n}", ("p1", 1), ("p2", 1), run=False) for n in range(12)]
    found.world.run()

    assert ["done"] * 12 == [each.status for each in sent]
    statuses = [found.order_of(f"o{n}").status for n in range(12)]
    # Ten of each are there, and 100.00 pay for eight times 12.50.
    failed = statuses.count("Cancelled") + statuses.count("PaymentFailed")
    assert (8, 4) == (statuses.count("Preparing"), failed)
    require_good(found)


@pytest.mark.parametrize("seed", range(5))
def test_the_last_items_are_sold_once(seed: int) -> None:
    """S58 S135: five orders want the last two."""
    found = shop(seed=seed)
    found.order("first", ("p1", 8))
    for n in range(5):
        found.order(f"o{n}", ("p1", 1), run=False)
    found.world.run()

    assert (0, 0, 10) == found.stock()
    require_good(found)


def test_the_same_turns_after_a_crash_in_each_of_them() -> None:
    """S97 S137: a worker that dies before it has stored its turn has done nothing."""
    calm, shaken = shop(), shop()
    calm.order("o1", ("p1", 2), ("p2", 1))
    shaken.order("o1", ("p1", 2), ("p2", 1), run=False)
    while (shaken.world.crash() and shaken.world.step()) or _outside(shaken.world):
        pass

    assert calm.order_of() == shaken.order_of()
    assert calm.outside.asked == shaken.outside.asked
    require_good(shaken)


def _outside(world: World) -> bool:
    return world._call_outside()


def test_a_parcel_moves_and_the_order_with_it() -> None:
    """S21 S22 S31 S32 S69 S73 S74: shipped once, delivered at the end."""
    found = shop()
    found.order()
    statuses = []
    for status in ("Shipped", "InTransit", "OutForDelivery", "Delivered"):
        found.world.send("shipment/o1", UpdateShipmentStatus(status, f"at {status}"))
        statuses.append(found.order_of().status)

    assert ["Shipped", "Shipped", "Shipped", "Delivered"] == statuses
    assert found.types("order/o1")[-2:] == ["OrderShipped", "OrderDelivered"]
    assert all(a != b for a, b in pairwise(found.types("order/o1")))
    require_good(found)


def test_an_order_for_no_stock_is_cancelled_and_says_so() -> None:
    """S33 S62: created, cancelled with a reason, nothing kept."""
    found = shop()
    sent = found.order("o1", ("p1", 2), ("p2", 11))

    assert ("Pending", "47.50") == (sent.reply.status, str(sent.reply.total_amount))
    assert found.types("order/o1") == ["OrderCreated", "OrderCancelled"]
    assert [("OrderCancelled", "ItemsUnavailable")] == found.notices()
    assert (10, 0, 0) == found.stock()
    require_good(found)
