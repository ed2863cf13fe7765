"""An order by itself: what it makes of each command and each answer - given, when, then."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from orders.messages import product as catalog
from orders.messages import shipment as parcel
from orders.messages.account import AccountValid, ValidateAccount
from orders.messages.customer import Notify
from orders.messages.kinds import AccountKind, OrderKind, PaymentKind, ProductKind, ShipmentKind
from orders.messages.order import (
    CancelOrder,
    CheckOrderStatus,
    CreateOrder,
    ItemLost,
    ItemReleased,
    ItemReserved,
    ItemSold,
    ItemsReserved,
    ItemUnavailable,
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderOutOfStock,
    OrderPlaced,
    OrderPrepared,
    OrderRefunded,
    OrderShipped,
    OrderStatus,
    PaymentGivenUp,
    PaymentProcessed,
    PaymentStarted,
    ReservationReleased,
    ShipmentMoved,
    ShipmentNotStopped,
    ShipmentStopped,
    StepFailed,
    StopRequested,
    UpdateOrderStatus,
)
from orders.messages.payment import PaymentResult, ProcessPayment, RefundPayment, RefundResult
from orders.messages.product import (
    CheckAvailability,
    ItemsAvailable,
    ItemsSold,
    ReleaseReservation,
    ReserveItems,
    RestockItems,
    SellItems,
)
from orders.messages.shipment import CancelShipment, CreateShipment, ShipmentResult
from orders.messages.values import OrderItem, OrderLine
from orders.order import Order, order
from orders.order.create import Draft
from orders.order.steps import ask
from tests.support.shop import ADDRESS
from wherry import Asker, Event, Rejected
from wherry.testing import START, Failed, Given, given

P1, P2 = ProductKind.ref("p1"), ProductKind.ref("p2")
ACC, PAYMENT, SHIPMENT = AccountKind.ref("acc"), PaymentKind.ref("o1"), ShipmentKind.ref("o1")
ITEMS = (OrderItem("p1", 2), OrderItem("p2", 3))
LINES = (OrderLine("p1", 2, Decimal("10.00")), OrderLine("p2", 3, Decimal("2.50")))
TOTAL = Decimal("27.50")
CREATE = CreateOrder("ann", "acc", ITEMS, ADDRESS, "card")
ASKER: Asker[Any] = Asker("c1", "CreateOrder")
DRAFT = Draft(CREATE, ASKER)

CREATED = OrderCreated(
    "o1", "ann", "acc", LINES, TOTAL, "EUR", ADDRESS, "card", START, "c1"
)  # fmt: skip
RESERVED = (ItemReserved("o1", "p1"), ItemsReserved("o1", "o1", LINES))
STARTED = PaymentStarted("o1", "o1")
PAID = PaymentProcessed("o1", "o1", "Succeeded")
SOLD = (ItemSold("o1", "p1"), ItemSold("o1", "p2"))
PREPARED = OrderPrepared("o1", "o1")
LABELLED = parcel.ShipmentCreated("o1", "o1", "track-1")
CANCELLED = OrderCancelled("o1", "changed my mind")

PENDING = (CREATED,)
PROCESSING = (CREATED, *RESERVED, STARTED)
CONFIRMED = (*PROCESSING, PAID)
PREPARING = (*CONFIRMED, *SOLD, PREPARED)


def o1(*events: Event) -> Given[OrderKind, Order]:
    return given(order, *events, key="o1")


def available(name: str, quantity: int, price: str, currency: str = "EUR") -> ItemsAvailable:
    return ItemsAvailable(name, quantity, 10, Decimal(price), currency)


def held(name: str, quantity: int) -> catalog.ItemsReserved:
    return catalog.ItemsReserved("o1", "o1", name, quantity, START)


def notify(reason: str, detail: str = "") -> tuple[str, Notify]:
    return ("customer/ann", Notify("o1", "OrderCancelled", reason, detail or reason))


# -- creating ------------------------------------------------------------------------------------


def test_an_order_asks_for_its_prices_one_after_the_other() -> None:
    """S10 S13 S60: nothing is stored; what is known travels with the question."""
    first = o1().when(CREATE)
    assert first.replies_later
    assert (first.events, first.sent) == ((), [("product/p1", CheckAvailability(2))])

    draft = replace(DRAFT, asker=Asker("c1", "CreateOrder"))
    second = o1().answered(P1, CheckAvailability, available("p1", 2, "10.00"), carry=draft)
    assert (second.events, second.sent) == ((), [("product/p2", CheckAvailability(3))])


def test_the_last_price_creates_the_order_and_asks_for_its_items() -> None:
    """S14 S61 S79 S99: stored, answered, and all products at once."""
    draft = replace(DRAFT, lines=LINES[:1], currency="EUR")
    done = o1().answered(P2, CheckAvailability, available("p2", 3, "2.50"), carry=draft)

    done.then(CREATED)
    assert done.sent == [
        ("product/p1", ReserveItems("o1", 2)), ("product/p2", ReserveItems("o1", 3))
    ]  # fmt: skip
    assert [late.asker for late in done.late] == [ASKER]
    placed = OrderPlaced("o1", "Pending", TOTAL, "EUR")
    assert done.told_late == [
        {"order_id": "o1", "status": "Pending", "total_amount": str(placed.total_amount),
         "currency": "EUR"}
    ]  # fmt: skip


def test_an_order_of_what_is_not_there_is_cancelled_at_once() -> None:
    """S33 S62: created with its prices, and told."""
    refused = Rejected("items-unavailable", price="2.50", currency="EUR")
    draft = replace(DRAFT, lines=LINES[:1], currency="EUR")
    done = o1().answered(P2, CheckAvailability, refused, carry=draft)

    over = OrderCancelled("o1", "ItemsUnavailable")
    done.then(replace(CREATED, unavailable=("p2",)), over)
    assert done.sent == [notify("ItemsUnavailable")]
    assert done.state.settled


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Rejected("unknown-product", "p2 is not in the catalog"), "unknown-product"),
        (Failed(), "handler-failed"),
        (available("p2", 3, "2.50", "GBP"), "currency-mismatch"),
    ],
)
def test_an_order_that_cannot_be_priced_is_refused(outcome: Any, code: str) -> None:
    """S4: and leaves no trace."""
    draft = replace(DRAFT, lines=LINES[:1], currency="EUR")
    done = o1().answered(P2, CheckAvailability, outcome, carry=draft).then()

    assert code == done.told_late[0].code


def test_an_id_is_taken_by_whoever_is_faster() -> None:
    """S106: a copy of the last answer says nothing, another order hears that there is one."""
    assert "order-exists" == o1(CREATED).when(CREATE).rejected
    last = (P2, CheckAvailability, available("p2", 3, "2.50"))
    assert () == o1(CREATED).answered(*last, carry=DRAFT).then().late
    other = replace(DRAFT, asker=Asker("c2", "CreateOrder"))
    assert "order-exists" == o1(CREATED).answered(*last, carry=other).told_late[0].code


# -- the way forward -----------------------------------------------------------------------------


def test_the_last_item_that_is_reserved_opens_the_account() -> None:
    """S64 S80 S81 S101: one event for each, and one for all."""
    first = o1(CREATED).answered(P2, ReserveItems, held("p2", 3))
    first.then(ItemReserved("o1", "p2"))
    assert [] == first.sent

    last = first.answered(P1, ReserveItems, held("p1", 2)).then(ItemsReserved("o1", "o1", LINES))
    assert last.sent == [("account/acc", ValidateAccount())]
    last.answered(P1, ReserveItems, held("p1", 2)).then()


def test_one_product_that_is_not_there_ends_the_order_and_releases_the_others() -> None:
    """S62 S63 S65 S66: the late one too; the customer hears when all is released."""
    refused = Rejected("items-unavailable")
    ended = (
        o1(CREATED)
        .answered(P1, ReserveItems, refused)
        .then(
            ItemUnavailable("o1", "p1", "items-unavailable"),
            OrderCancelled("o1", "ItemsUnavailable"),
        )
    )
    assert [] == ended.sent

    late = ended.answered(P2, ReserveItems, held("p2", 3)).then(ItemReserved("o1", "p2"))
    assert late.sent == [("product/p2", ReleaseReservation("o1"))]
    released = late.answered(P2, ReleaseReservation, catalog.ReservationReleased("o1", 3))
    released.then(ReservationReleased("o1", "o1"))
    assert released.sent == [notify("ItemsUnavailable")]

    both = ended.answered(P2, ReserveItems, refused)
    both.then(ItemUnavailable("o1", "p2", "items-unavailable"))
    assert both.sent == [notify("ItemsUnavailable")]


def test_a_valid_account_starts_the_payment() -> None:
    """S52 S82 S83: of the same currency."""
    reserved = o1(CREATED, *RESERVED)
    done = reserved.answered(ACC, ValidateAccount, AccountValid("acc", "EUR", TOTAL))

    done.then(STARTED)
    assert done.sent == [
        ("payment/o1", ProcessPayment("o1", "acc", TOTAL, "EUR", "card"))
    ]  # fmt: skip
    other = AccountValid("acc", "GBP", TOTAL)
    reserved.answered(ACC, ValidateAccount, other).then(OrderCancelled("o1", "CurrencyMismatch"))
    closed = Rejected("account-not-open")
    reserved.answered(ACC, ValidateAccount, closed).then(OrderCancelled("o1", "AccountNotOpen"))
    done.answered(ACC, ValidateAccount, closed).then()


def test_a_payment_that_succeeded_sells_what_is_held() -> None:
    """S86 S100: all products are asked at once."""
    done = o1(*PROCESSING).answered(
        PAYMENT, ProcessPayment, PaymentResult("o1", "o1", "Succeeded", "tx-1")
    )

    done.then(PAID)
    assert done.sent == [("product/p1", SellItems("o1", 2)), ("product/p2", SellItems("o1", 3))]


def test_a_payment_that_failed_releases_what_is_held() -> None:
    """S90 S91 S100: and then tells the customer."""
    done = o1(*PROCESSING).answered(
        PAYMENT, ProcessPayment, PaymentResult("o1", "o1", "Failed", reason="card-declined")
    )

    done.then(PaymentProcessed("o1", "o1", "Failed", "card-declined"))
    released = [("product/p1", ReleaseReservation("o1")), ("product/p2", ReleaseReservation("o1"))]
    assert done.sent == released
    first = done.answered(P1, ReleaseReservation, catalog.ReservationReleased("o1", 2))
    first.then(ItemReleased("o1", "p1"))
    last = first.answered(P2, ReleaseReservation, catalog.ReservationReleased("o1", 3))
    last.then(ReservationReleased("o1", "o1"))
    assert last.sent == [notify("PaymentFailed", "card-declined")]


@pytest.mark.parametrize(
    ("status", "becomes"),
    [
        ("Processing", ()),
        ("Succeeded", (PAID,)),
        ("PartiallyRefunded", (PAID,)),
        ("Failed", (PaymentProcessed("o1", "o1", "Failed", "card-declined"),)),
    ],
)
def test_an_order_that_asked_again_learns_how_its_payment_stands(
    status: str, becomes: tuple[Event, ...]
) -> None:
    """S107 S110: PaymentAlreadyProcessed has it all."""
    reason = "card-declined" if status == "Failed" else ""
    refused = Rejected("payment-already-processed", status=status, reason=reason)

    o1(*PROCESSING).answered(PAYMENT, ProcessPayment, refused).then(*becomes)


def test_a_payment_that_is_refused_has_failed() -> None:
    refused = Rejected("invalid")
    done = o1(*PROCESSING).answered(PAYMENT, ProcessPayment, refused)

    done.then(PaymentProcessed("o1", "o1", "Failed", "invalid"))
    done.answered(PAYMENT, ProcessPayment, refused).then()


def test_the_last_item_that_is_sold_asks_for_the_shipment() -> None:
    """S30 S87: until then the order is confirmed."""
    first = o1(*CONFIRMED).answered(P1, SellItems, ItemsSold("o1", 2)).then(SOLD[0])
    last = first.answered(P2, SellItems, ItemsSold("o1", 3)).then(SOLD[1], PREPARED)

    assert last.sent == [("shipment/o1", CreateShipment("o1", ITEMS, ADDRESS))]
    last.answered(P2, SellItems, ItemsSold("o1", 3)).then()


def test_an_item_that_was_lost_takes_the_order_back() -> None:
    """S25 S35: the sold one is restocked, the one on its way as soon as it is there."""
    lost = o1(*CONFIRMED).answered(P1, SellItems, Rejected("reservation-lost"))
    lost.then(ItemLost("o1", "p1", "reservation-lost"), OrderOutOfStock("o1", "reservation-lost"))
    assert lost.sent == [("payment/o1", RefundPayment())]

    sold = lost.answered(P2, SellItems, ItemsSold("o1", 3)).then(SOLD[1])
    assert sold.sent == [("product/p2", RestockItems("o1", 3))]
    both = lost.answered(P2, SellItems, Rejected("reservation-lost"))
    both.then(ItemLost("o1", "p2", "reservation-lost"))
    assert both.sent == [notify("OutOfStock", "reservation-lost")]


def test_a_label_confirms_the_order_to_its_customer() -> None:
    """S88 S89: with the number of the parcel."""
    result = ShipmentResult("o1", "o1", "Created", "track-1")
    done = o1(*PREPARING).answered(SHIPMENT, CreateShipment, result).then(LABELLED)

    told = Notify("o1", "OrderConfirmed", tracking_number="track-1")
    assert done.sent == [("customer/ann", told)]
    done.answered(SHIPMENT, CreateShipment, result).then()


@pytest.mark.parametrize(
    "outcome",
    [ShipmentResult("o1", "o1", "Failed", reason="no-lorry"), Rejected("no-lorry")],
    ids=["told", "refused"],
)
def test_no_label_takes_the_order_back(outcome: Any) -> None:
    """S26 S36: everything that was sold, and the money."""
    done = o1(*PREPARING).answered(SHIPMENT, CreateShipment, outcome)

    done.then(parcel.ShipmentFailed("o1", "o1", "no-lorry"))
    assert done.sent == [
        ("product/p1", RestockItems("o1", 2)), ("product/p2", RestockItems("o1", 3)),
        ("payment/o1", RefundPayment()),
    ]  # fmt: skip
    done.answered(SHIPMENT, CreateShipment, outcome).then()


def test_a_shipment_that_waits_for_its_carrier_is_no_failure() -> None:
    """S110: the order had asked again."""
    refused = Rejected("shipment-in-progress")
    o1(*PREPARING).answered(SHIPMENT, CreateShipment, refused).then()


@pytest.mark.parametrize("step", ["reserve:p1", "account", "payment", "sell:p1", "shipment"])
@pytest.mark.parametrize("outcome", [Failed("gone"), Rejected("entity-stopped")])
def test_what_nobody_has_decided_is_asked_again_later(step: str, outcome: Any) -> None:
    """S110: an error, or an entity that was stopped, is no answer."""
    asked: dict[str, tuple[tuple[Event, ...], Any, Any]] = {
        "reserve:p1": (PENDING, P1, ReserveItems),
        "account": ((CREATED, *RESERVED), ACC, ValidateAccount),
        "payment": (PROCESSING, PAYMENT, ProcessPayment),
        "sell:p1": (CONFIRMED, P1, SellItems),
        "shipment": (PREPARING, SHIPMENT, CreateShipment),
    }
    events, of, command = asked[step]
    done = o1(*events).answered(of, command, outcome)

    code = "gone" if isinstance(outcome, Failed) else "entity-stopped"
    done.then(StepFailed("o1", step, code))
    assert (step in done.state.open, done.state.again) == (True, (step,))


# -- the parcel ----------------------------------------------------------------------------------


def told(status: str, *, location: str = "", reason: str = "") -> ShipmentMoved:
    return ShipmentMoved("o1", status, "track-1", location, reason, START)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["Shipped", "InTransit", "OutForDelivery"])
def test_a_parcel_on_its_way_is_a_shipped_order(status: str) -> None:
    """S21 S31: once."""
    done = o1(*PREPARING, LABELLED).when(told(status, location="Delft"))

    done.then(OrderShipped("o1", "Delft"))
    done.when(told(status)).then()


def test_a_parcel_that_is_there_is_a_delivered_order() -> None:
    """S22 S32 S74: also when the order has not heard of its way."""
    labelled = o1(*PREPARING, LABELLED)

    labelled.when(told("Delivered")).then(OrderShipped("o1"), OrderDelivered("o1", START))
    shipped = o1(*PREPARING, LABELLED, OrderShipped("o1"))
    shipped.when(told("Delivered")).then(OrderDelivered("o1", START))
    o1(*PENDING, CANCELLED).when(told("Delivered")).then()


# -- the way back --------------------------------------------------------------------------------


def test_a_shipment_has_the_last_word_about_a_cancel() -> None:
    """S16: stopped, and then cancelled; or too late, and refused."""
    asked = o1(*PREPARING, LABELLED).when(CancelOrder("changed my mind"))
    assert asked.replies_later
    assert asked.sent == [("shipment/o1", CancelShipment("o1", "changed my mind"))]
    asked.when(CancelOrder("again")).then_rejected("stop-in-progress")
    asked.when(UpdateOrderStatus("Shipped")).then_rejected("stop-in-progress")

    done = asked.answered(SHIPMENT, CancelShipment, ShipmentResult("o1", "o1", "Cancelled"))
    done.then(ShipmentStopped("o1"), CANCELLED)
    assert "Cancelled" == done.told_late[0]["status"]
    late = Rejected("illegal-transition", "it has gone")
    refused = asked.answered(SHIPMENT, CancelShipment, late)
    refused.then(ShipmentNotStopped("o1", "it has gone"))
    assert ("illegal-transition", "it has gone") == (
        refused.told_late[0].code, refused.told_late[0].detail
    )  # fmt: skip
    asked.answered(SHIPMENT, CancelShipment, Failed("x")).then(StepFailed("o1", "stop", "x"))
    o1(*PREPARING).answered(SHIPMENT, CancelShipment, late).then()


def test_a_label_of_an_order_that_has_failed_is_stopped() -> None:
    """S72 S105: whoever has made it; it may be too late for that as well."""
    failed = o1(*PREPARING, parcel.ShipmentFailed("o1", "o1", "x"))
    result = ShipmentResult("o1", "o1", "Created", "track-1")
    late = failed.answered(SHIPMENT, CreateShipment, result).then(LABELLED)
    assert late.sent == [("shipment/o1", CancelShipment("o1", "x"))]

    stopped = late.answered(SHIPMENT, CancelShipment, ShipmentResult("o1", "o1", "Cancelled"))
    stopped.then(ShipmentStopped("o1"))
    gone = late.answered(SHIPMENT, CancelShipment, Rejected("illegal-transition", "gone"))
    gone.then(ShipmentNotStopped("o1", "gone"))


def test_a_payment_that_comes_too_late_is_refunded_once() -> None:
    """S43 S105 S106: whatever else is told of it."""
    result = PaymentResult("o1", "o1", "Succeeded", "tx-1")
    late = o1(*PROCESSING, CANCELLED).answered(PAYMENT, ProcessPayment, result).then(PAID)
    assert late.sent == [("payment/o1", RefundPayment())]
    late.answered(PAYMENT, ProcessPayment, result).then()

    back = RefundResult("o1", "o1", TOTAL, TOTAL, "Refunded")
    refunded = late.answered(PAYMENT, RefundPayment, back)
    refunded.then(OrderRefunded("o1", "o1", TOTAL, TOTAL))
    refunded.answered(PAYMENT, ProcessPayment, result).then()
    refunded.answered(PAYMENT, RefundPayment, back).then()
    late.answered(PAYMENT, RefundPayment, Rejected("refund-in-progress")).then()
    part = RefundResult("o1", "o1", TOTAL, Decimal("1.00"), "PartiallyRefunded")
    assert "refund" in late.answered(PAYMENT, RefundPayment, part).then().state.open
    late.answered(PAYMENT, RefundPayment, Failed("x")).then(StepFailed("o1", "refund", "x"))


def test_a_payment_that_succeeds_though_it_was_said_to_have_failed_is_refunded() -> None:
    """S105: whatever came first, money that is there goes back."""
    failed = o1(*PROCESSING, PaymentProcessed("o1", "o1", "Failed", "invalid"))
    result = PaymentResult("o1", "o1", "Succeeded", "tx-1")

    late = failed.answered(PAYMENT, ProcessPayment, result).then(PAID)

    assert late.sent == [("payment/o1", RefundPayment())]


def test_a_payment_given_up_that_then_fails_is_only_noted() -> None:
    """S110: the order has come to nothing before."""
    given_up = o1(*PROCESSING, PaymentGivenUp("o1", "o1", "TimedOut"))
    failed = PaymentResult("o1", "o1", "Failed", reason="card-declined")

    done = given_up.answered(PAYMENT, ProcessPayment, failed)

    done.then(PaymentProcessed("o1", "o1", "Failed", "card-declined"))
    assert "TimedOut" == done.state.reason
    given_up.answered(PAYMENT, ProcessPayment, Failed("x")).then(StepFailed("o1", "payment", "x"))


def test_what_cannot_be_released_or_restocked_now_is_later() -> None:
    """S105 S110: and what was not asked for is not noted."""
    cancelled = o1(CREATED, *RESERVED, CANCELLED)
    cancelled.answered(P1, ReleaseReservation, Failed("x")).then(
        StepFailed("o1", "release:p1", "x")
    )
    failed = o1(*PREPARING, parcel.ShipmentFailed("o1", "o1", "x"))
    failed.answered(P1, RestockItems, Failed("x")).then(StepFailed("o1", "restock:p1", "x"))
    o1(CREATED).answered(P1, ReleaseReservation, catalog.ReservationReleased("o1", 2)).then()
    o1(CREATED).answered(P1, RestockItems, Failed("x")).then()


def test_an_order_that_was_shipped_by_hand_does_not_mind_its_label() -> None:
    """S31: whether it comes or not."""
    shipped = o1(*PREPARING, OrderShipped("o1"))
    result = ShipmentResult("o1", "o1", "Failed", reason="no-lorry")

    done = shipped.answered(SHIPMENT, CreateShipment, result)

    done.then(parcel.ShipmentFailed("o1", "o1", "no-lorry"))
    assert ("Shipped", ()) == (done.status, done.state.open)


def test_a_shipment_that_fails_while_it_is_stopped_answers_the_cancel_as_well() -> None:
    """S16 S36: with the state in which the order has come to nothing."""
    stopping = StopRequested("o1", "Cancelled", "changed my mind", ASKER)
    waiting = o1(*PREPARING, LABELLED, stopping)
    failed = waiting.when(told("Failed", reason="flood"))
    done = failed.answered(SHIPMENT, CancelShipment, ShipmentResult("o1", "o1", "Failed"))

    done.then(ShipmentStopped("o1"))
    assert "ShipmentFailed" == done.told_late[0]["status"]


def test_who_asks_is_told_what_the_order_waits_for() -> None:
    """S109: a question from outside does not count as a check."""
    done = o1(CREATED).at(START + timedelta(hours=1)).when(CheckOrderStatus())

    done.then(reply=OrderStatus("o1", "Pending", ("reserve:p1", "reserve:p2")))
    assert () == done.sends


@pytest.mark.parametrize("step", ["dance", "dance:p1"])
def test_a_step_that_there_is_not_is_an_error(step: str) -> None:
    with pytest.raises(ValueError, match="no step"):
        ask(o1(CREATED).state, "o1", step)
