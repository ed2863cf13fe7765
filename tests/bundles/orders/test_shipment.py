"""A shipment: a label, a parcel's way, and what happens when there is none - given, when, then."""

from typing import Any

import pytest

from orders.messages.kinds import CarrierKind, ShipmentKind
from orders.messages.order import ShipmentMoved
from orders.messages.outside import Booked, BookShipment, CancelBooking, Unbooked
from orders.messages.shipment import (
    BookingCancelled,
    CancelShipment,
    CreateShipment,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentFailed,
    ShipmentRequested,
    ShipmentResult,
    ShipmentStatus,
    ShipmentStatusUpdated,
    UpdateShipmentStatus,
)
from orders.messages.values import OrderItem
from orders.shipment import LIFECYCLE, Shipment, shipment
from tests.support.shop import ADDRESS
from wherry import Asker, Event, Rejected
from wherry.testing import START, Failed, Given, Unknown, given

ITEMS = (OrderItem("p1", 2),)
CREATE = CreateShipment("o1", ITEMS, ADDRESS)
ASKER: Asker[ShipmentResult] = Asker("c1", "CreateShipment", "order/o1", "CreateShipment")
LABEL = CarrierKind.ref("label-o1")
CANCEL_BOOKING = ("carrier/cancel-o1", CancelBooking("label-o1"))

REQUESTED = ShipmentRequested("o1", "o1", ITEMS, ADDRESS, ASKER)
CREATED = ShipmentCreated("o1", "o1", "track-1")
FAILED = ShipmentFailed("o1", "o1", "address-not-served")
CANCELLED = ShipmentCancelled("o1", "o1", "changed my mind")
STATUSES = (
    "Requested", "Created", "Shipped", "InTransit", "OutForDelivery", "Delivered", "Failed",
    "Cancelled", "Returned",
)  # fmt: skip


def moved(status: ShipmentStatus, location: str = "") -> ShipmentStatusUpdated:
    return ShipmentStatusUpdated("o1", status, location)


#: Events that lead to each status.
WAYS: dict[str, tuple[Event, ...]] = {
    "": (),
    "Requested": (REQUESTED,),
    "Created": (REQUESTED, CREATED),
    "Shipped": (REQUESTED, CREATED, moved("Shipped")),
    "InTransit": (REQUESTED, CREATED, moved("Shipped"), moved("InTransit")),
    "OutForDelivery": (REQUESTED, CREATED, moved("Shipped"), moved("OutForDelivery")),
    "Delivered": (REQUESTED, CREATED, moved("Shipped"), moved("Delivered")),
    "Failed": (REQUESTED, FAILED),
    "Cancelled": (REQUESTED, CANCELLED),
    "Returned": (REQUESTED, CREATED, moved("Shipped"), moved("Returned")),
}


def at(status: str, *events: Event) -> Given[ShipmentKind, Shipment]:
    found = given(shipment, *WAYS[status], *events, key="o1")
    assert found.status == status
    return found


def test_a_shipment_asks_the_carrier_for_a_label() -> None:
    """S9 S68 S70 S71: with a key of its own; the reply comes with the label."""
    done = at("").when(CREATE)

    assert done.replies_later
    assert done.sent == [("carrier/label-o1", BookShipment("o1", ITEMS, ADDRESS))]
    assert "Requested" == done.status


def test_a_label_is_told_to_who_waits() -> None:
    """S72: the order gets its tracking number."""
    done = at("Requested").answered(LABEL, BookShipment, Booked("track-1"))

    done.then(CREATED)
    assert "track-1" == done.told_late[0]["tracking_number"]
    assert done.state.asker is None


@pytest.mark.parametrize(
    ("outcome", "reason", "cancels"),
    [
        (Rejected("address-not-served"), "address-not-served", False),
        (Failed("gave-up"), "gave-up", False),
        (Unknown(), "outcome-unknown", True),
    ],
)
def test_no_label_is_a_failure(outcome: Any, reason: str, cancels: bool) -> None:
    """S26 S36: a booking that may have been made is cancelled."""
    done = at("Requested").answered(LABEL, BookShipment, outcome)

    done.then(ShipmentFailed("o1", "o1", reason))
    assert done.sent == ([CANCEL_BOOKING] if cancels else [])
    assert ("Failed", reason) == (done.told_late[0]["status"], done.told_late[0]["reason"])


def test_a_shipment_is_created_once() -> None:
    """S106: while the carrier is asked, and when there is a label, or none."""
    at("Requested").when(CREATE).then_rejected("shipment-in-progress")
    at("Created").when(CREATE).then(reply=ShipmentResult("o1", "o1", "Created", "track-1"))
    at("Failed").when(CREATE).then(
        reply=ShipmentResult("o1", "o1", "Failed", "", "address-not-served")
    )
    for status in ("Created", "Shipped"):
        again = at(status).answered(LABEL, BookShipment, Booked("track-1")).then()
        assert ((), ()) == (again.sends, again.late)


@pytest.mark.parametrize("old", WAYS)
@pytest.mark.parametrize("new", STATUSES)
def test_every_pair_of_statuses(old: str, new: ShipmentStatus) -> None:
    """S69 S73: by hand only where a parcel can go; a refusal names both."""
    done = at(old).when(UpdateShipmentStatus(new, "Rotterdam"))

    by_hand = {"Shipped", "InTransit", "OutForDelivery", "Delivered", "Failed", "Returned"}
    if new == old:
        assert done.rejected is None
    elif new in by_hand and new in LIFECYCLE.get(old, ()):
        assert done.status == new
    else:
        done.then_rejected(
            "illegal-transition", f"shipment o1 cannot go from {old or 'new'} to {new}"
        )


def test_the_order_is_told_where_the_parcel_is() -> None:
    """S69 S73 S104: by a message, once for each status."""
    done = at("Created").when(UpdateShipmentStatus("Shipped", "Rotterdam"))

    done.then(moved("Shipped", "Rotterdam"), reply=ShipmentResult("o1", "o1", "Shipped", "track-1"))
    told = ShipmentMoved("o1", "Shipped", "track-1", "Rotterdam", "", START)
    assert done.sent == [("order/o1", told)]


def test_a_delivery_has_a_time() -> None:
    """S74: the time at which it was told."""
    done = at("OutForDelivery").when(UpdateShipmentStatus("Delivered", "Quay 1"))

    done.then(moved("Delivered", "Quay 1"), ShipmentDelivered("o1", "o1", START))
    assert START == done.state.delivered_at


def test_the_same_status_elsewhere_is_another_place() -> None:
    """S73 S106: the same place is no news, and none at all is none."""
    here = at("Shipped", moved("Shipped", "Rotterdam"))

    here.when(UpdateShipmentStatus("Shipped", "Delft")).then(moved("Shipped", "Delft"))
    here.when(UpdateShipmentStatus("Shipped", "Rotterdam")).then()
    here.when(UpdateShipmentStatus("Shipped")).then()
    at("Created").when(UpdateShipmentStatus("Created", "Delft")).then()


def test_a_carrier_that_gives_up_says_so_to_who_waits_or_to_the_order() -> None:
    """S36 S70: before there is a label, and after."""
    waiting = at("Requested").when(UpdateShipmentStatus("Failed", "flood"))
    waiting.then(ShipmentFailed("o1", "o1", "flood"))
    assert ([], "Failed") == (waiting.sent, waiting.told_late[0]["status"])

    labelled = at("Created").when(UpdateShipmentStatus("Failed"))
    labelled.then(ShipmentFailed("o1", "o1", "told-by-carrier"))
    told = ShipmentMoved("o1", "Failed", "track-1", "", "told-by-carrier", START)
    assert labelled.sent == [("order/o1", told), CANCEL_BOOKING]


CANCEL = CancelShipment("o1", "changed my mind")


def test_before_the_parcel_has_gone_a_shipment_can_be_cancelled() -> None:
    """S16 S70: the label too, now or when it comes."""
    waiting = at("Requested").when(CANCEL)
    waiting.then(CANCELLED)
    assert ([], "Cancelled") == (waiting.sent, waiting.told_late[0]["status"])
    late = waiting.answered(LABEL, BookShipment, Booked("track-1")).then()
    assert late.sent == [CANCEL_BOOKING]
    waiting.answered(LABEL, BookShipment, Rejected("no")).then()

    labelled = at("Created").when(CANCEL).then(CANCELLED)
    assert labelled.sent == [CANCEL_BOOKING]
    unbooked = labelled.answered(CarrierKind.ref("cancel-o1"), CancelBooking, Unbooked(found=True))
    unbooked.then(BookingCancelled("o1"))
    labelled.answered(CarrierKind.ref("cancel-o1"), CancelBooking, Failed()).then()


@pytest.mark.parametrize("status", ["Failed", "Cancelled"])
def test_what_will_not_be_sent_is_cancelled_already(status: str) -> None:
    """S106: so it is told once more how it is."""
    done = at(status).when(CANCEL).then()

    assert (status, ()) == (done.reply.status, done.sends)


def test_a_shipment_that_was_never_asked_for_can_be_forbidden() -> None:
    """S106: the message that asks for it may come later."""
    done = at("").when(CANCEL).then(CANCELLED)

    done.when(CREATE).then(reply=ShipmentResult("o1", "o1", "Cancelled", "", "changed my mind"))


@pytest.mark.parametrize("status", ["Shipped", "InTransit", "OutForDelivery", "Delivered"])
def test_a_parcel_that_has_gone_cannot_be_stopped(status: str) -> None:
    """S16: the refusal names both statuses."""
    refused = at(status).when(CANCEL).then_rejected("illegal-transition")

    assert f"from {status} to Cancelled" in refused.detail
