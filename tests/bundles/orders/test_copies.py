"""Each message twice: the copy has another id, so that only the entities' own rules help."""

from collections.abc import Callable

import pytest

from orders.messages.order import AcceptReturn, CancelOrder, RequestReturn
from orders.messages.outside import BookShipment, Capture
from orders.messages.payment import RefundPayment
from orders.messages.product import ReleaseReservation
from tests.support.shop import Shop, require_good, shop
from tests.support.shop_states import labelled, shipped
from tests.support.traffic import copying

#: More than any of the flows below has.
MESSAGES = 60


def happy() -> Shop:
    found = shop()
    found.order("o1", ("p1", 2), ("p2", 1))
    return found


def declined() -> Shop:
    found = shop()
    found.outside.next(Capture, "decline")
    found.order("o1", ("p1", 2), ("p2", 1))
    return found


def voided() -> Shop:
    found = shop()
    found.outside.next(Capture, "unknown", "unknown")
    found.order("o1", ("p1", 2), ("p2", 1))
    return found


def lost() -> Shop:
    found = shop(waiting=[Capture])
    found.order("o1", ("p1", 2), ("p2", 1))
    found.world.send("product/p1", ReleaseReservation("o1"))
    found.finish()
    return found


def not_shipped() -> Shop:
    found = shop()
    found.outside.next(BookShipment, "decline")
    found.order("o1", ("p1", 2), ("p2", 1))
    return found


def cancelled() -> Shop:
    found = labelled()
    found.world.send("order/o1", CancelOrder("changed my mind"))
    return found


def returned() -> Shop:
    found = shipped()
    found.world.send("order/o1", RequestReturn("too small"))
    found.world.send("order/o1", AcceptReturn())
    return found


FLOWS = [happy, declined, voided, lost, not_shipped, cancelled, returned]


def facts(found: Shop) -> object:
    """What must be the same, whatever came twice."""
    books, outside = [found.stock("p1"), found.stock("p2")], found.outside
    return (
        found.order_of().status, books, found.account_of().balance, found.payment_of().status,
        found.payment_of().refunded, found.shipment_of().status, found.notices(),
        [(c.key, c.status, c.refunded) for c in outside.gateway.captures.values()],
        [(s["key"], s["status"]) for s in outside.carrier.shipments.values()],
    )  # fmt: skip


@pytest.mark.parametrize("late", [False, True], ids=["at once", "late"])
@pytest.mark.parametrize("flow", FLOWS)
def test_all_messages_come_twice(flow: Callable[[], Shop], late: bool) -> None:
    """S106 S107: one charge, one shipment, the same end - and nobody is told twice."""
    expected = facts(flow())

    with copying(lambda _: True, late=late) as copies:
        found = flow()
        copies.deliver(found.world)

    assert expected == facts(found)
    require_good(found)


@pytest.mark.parametrize("late", [False, True], ids=["at once", "late"])
@pytest.mark.parametrize("flow", FLOWS)
def test_each_message_comes_twice(flow: Callable[[], Shop], late: bool) -> None:
    """S106: one after the other, each of the flow's messages and answers."""
    expected = facts(flow())

    for number in range(1, MESSAGES):
        with copying(number.__eq__, late=late) as copies:
            found = flow()
            copies.deliver(found.world)
        assert expected == facts(found), number
        require_good(found)
        if copies.count < number:
            return
    raise AssertionError("MESSAGES is too small")


@pytest.mark.parametrize("seed", range(10))
def test_all_messages_of_many_orders_come_twice_in_any_order_of_turns(seed: int) -> None:
    """S106 S135: and among them those that fail."""
    with copying(lambda _: True) as _:
        found = shop(seed=seed, batch=3)
        found.outside.next(Capture, "ok", "decline", "unknown", "failed")
        found.outside.next(BookShipment, "ok", "decline", "unknown")
        for number in range(8):
            found.order(f"o{number}", ("p1", 1), ("p2", 1), run=False)
        found.world.run()

    require_good(found)


def test_what_people_send_twice_is_done_once() -> None:
    """S106 S107: with another id, as if somebody had pressed the button again."""
    found = shop()
    first = found.order()
    assert "order-exists" == found.order().rejected
    assert "done" == first.status
    for command in (CancelOrder("a"), CancelOrder("b")):
        found.world.send("order/o1", command)
    found.world.send("payment/o1", RefundPayment())

    assert "100.00" == str(found.account_of().balance)
    require_good(found)
