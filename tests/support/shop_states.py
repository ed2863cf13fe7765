"""Shops whose order o1 - two p1 - is in a certain state, and stays there until `finish`."""

from orders.messages.order import CancelOrder, OrderState, RequestReturn
from orders.messages.outside import BookShipment, Capture
from orders.messages.product import ReleaseReservation
from orders.messages.shipment import UpdateShipmentStatus
from tests.support.shop import Shop, shop, until


def in_state(state: OrderState) -> Shop:
    """A shop whose order is in a state."""
    found = _MAKERS[state]()
    assert found.order_of().status == state
    return found


def pending() -> Shop:
    """Its product does not answer the reservation."""
    found = shop()
    found.order(run=False)
    until(found.world, lambda: found.order_of().status == "Pending")
    _hold_product(found)
    return found


def processing() -> Shop:
    """Its gateway does not answer the capture."""
    found = shop(waiting=[Capture])
    found.order()
    return found


def confirmed() -> Shop:
    """Its product does not answer the sale."""
    found = processing()
    _hold_product(found)
    found.world.settle(call := found.world.calls(Capture)[0], found.outside.answer(call))
    return found


def preparing() -> Shop:
    """Its carrier does not answer the booking."""
    found = shop(waiting=[BookShipment])
    found.order()
    return found


def labelled() -> Shop:
    """Preparing, and there is a label."""
    found = shop()
    found.order()
    return found


def shipped() -> Shop:
    found = labelled()
    found.world.send("shipment/o1", UpdateShipmentStatus("Shipped", "Rotterdam"))
    return found


def delivered() -> Shop:
    found = shipped()
    found.world.send("shipment/o1", UpdateShipmentStatus("Delivered", "Quay 1"))
    return found


def cancelled() -> Shop:
    found = labelled()
    found.world.send("order/o1", CancelOrder("too late for me"))
    return found


def payment_failed() -> Shop:
    found = shop()
    found.outside.next(Capture, "decline")
    found.order()
    return found


def out_of_stock() -> Shop:
    """Somebody has given its reservation away."""
    found = processing()
    found.world.send("product/p1", ReleaseReservation("o1"))
    found.finish()
    return found


def shipment_failed() -> Shop:
    found = shop()
    found.outside.next(BookShipment, "decline")
    found.order()
    return found


def return_requested() -> Shop:
    found = shipped()
    found.world.send("order/o1", RequestReturn("too small"))
    return found


def _hold_product(found: Shop) -> None:
    """Let the product wait; order, payment and shipment are in another partition."""
    partition_of = found.world.registry.partition_of
    assert partition_of("product/p1") != partition_of("order/o1")
    found.world.hold("product/p1")


_MAKERS = {
    "Pending": pending, "PaymentProcessing": processing, "PaymentConfirmed": confirmed,
    "Preparing": preparing, "Shipped": shipped, "Delivered": delivered, "Cancelled": cancelled,
    "PaymentFailed": payment_failed, "OutOfStock": out_of_stock,
    "ShipmentFailed": shipment_failed, "ReturnRequested": return_requested,
}  # fmt: skip
