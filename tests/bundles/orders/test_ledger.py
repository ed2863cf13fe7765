"""The checker itself: it finds nothing in what was right, and each thing that is not."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from orders.messages import account as acc
from orders.messages import order as o
from orders.messages import payment as pay
from orders.messages import product as pro
from orders.messages import shipment as ship
from orders.messages.order import AcceptReturn, UpdateOrderStatus
from orders.messages.outside import BookShipment, Capture
from orders.messages.payment import RefundPayment
from orders.messages.shipment import UpdateShipmentStatus
from orders.messages.values import OrderLine
from tests.support.books import Log, logs_of
from tests.support.ledger import Ledger, wrong
from tests.support.shop import Shop, shop
from tests.support.shop_states import processing
from wherry import Asker, Event
from wherry.testing import START


@dataclass
class History:
    """What a checker sees."""

    logs: dict[str, list[tuple[int, Event]]]
    gateway: dict[str, list[dict[str, Any]]]
    carrier: dict[str, list[dict[str, Any]]]

    def wrong(self, *, quiet: bool = True) -> list[str]:
        logs = [Log(address, tuple(events)) for address, events in self.logs.items()]
        return wrong(logs, quiet=quiet, gateway=self.gateway, carrier=self.carrier)

    def of(self, address: str) -> list[Event]:
        return [event for _, event in self.logs[address]]

    def write(self, address: str, events: list[Event]) -> None:
        """Replace a log."""
        self.logs[address] = list(enumerate(events, 1))

    def add(self, address: str, *events: Event) -> None:
        self.write(address, [*self.of(address), *events])

    def drop(self, address: str, type_: type[Event]) -> None:
        self.write(address, [event for event in self.of(address) if not isinstance(event, type_)])

    def change(self, address: str, type_: type[Event], **fields: Any) -> None:
        """Change the fields of every event of a type."""
        self.write(
            address,
            [replace(e, **fields) if isinstance(e, type_) else e for e in self.of(address)],  # type: ignore[type-var]
        )


def history(found: Shop) -> History:
    ledgers: dict[str, Ledger] = deepcopy(found.outside.ledgers())
    return History(
        {log.address: list(log.events) for log in logs_of(found.world)},
        dict(ledgers["gateway"]),
        dict(ledgers["carrier"]),
    )


def busy() -> Shop:
    """o1 is on its way, o2 declined, o3 not shipped, o4 came back, o5 is refunded in part."""
    found = return_requested_as("o4")
    found.order("o1")
    found.outside.next(Capture, "decline")
    found.order("o2")
    found.outside.next(BookShipment, "decline")
    found.order("o3")
    found.order("o5", ("p2", 2))
    found.world.send("payment/o5", RefundPayment(Decimal("1.00")))
    return found


def return_requested_as(key: str) -> Shop:
    found = shop()
    found.order(key)
    found.world.send(f"shipment/{key}", UpdateShipmentStatus("Shipped"))
    found.world.send(f"order/{key}", UpdateOrderStatus("ReturnRequested"))
    found.world.send(f"order/{key}", AcceptReturn())
    return found


GOOD = history(busy())
EUROS = Decimal("1.00")


def test_a_good_history_has_no_findings() -> None:
    assert [] == deepcopy(GOOD).wrong()


def test_orders_that_are_under_way_are_no_finding_until_all_is_quiet() -> None:
    found = history(processing())

    assert [] == found.wrong(quiet=False)
    assert any("order/o1: is still PaymentProcessing" in said for said in found.wrong())


def gap(h: History) -> None:
    h.logs["order/o1"].pop(1)


def balance(h: History) -> None:
    h.change("account/acc", acc.AccountCredited, new_balance=Decimal("200.00"))


def overdrawn(h: History) -> None:
    h.change("account/acc", acc.AccountCredited, amount=EUROS, new_balance=EUROS)


def debited_twice(h: History) -> None:
    debit = next(e for e in h.of("account/acc") if isinstance(e, acc.AccountDebited))
    h.add("account/acc", replace(debit, new_balance=Decimal("55.00")))


def returned_twice(h: History) -> None:
    back = next(e for e in h.of("account/acc") if isinstance(e, acc.FundsReturned))
    h.add("account/acc", replace(back, new_balance=Decimal("96.00")))


def not_debited(h: History) -> None:
    debits = [e for e in h.of("account/acc") if getattr(e, "reference", "") != "o1"]
    h.write("account/acc", debits)


def kept(h: History) -> None:
    h.write(
        "account/acc",
        [e for e in h.of("account/acc") if getattr(e, "reference", "") != "payment-o2"],
    )


def sold_from_nothing(h: History) -> None:
    h.drop("product/p2", pro.StockUpdated)


def vanished(h: History) -> None:
    h.change("product/p1", pro.ReservationReleased, quantity=1)


def held_twice(h: History) -> None:
    hold = next(e for e in h.of("product/p1") if isinstance(e, pro.ItemsReserved))
    h.write("product/p1", [*h.of("product/p1")[:2], hold, *h.of("product/p1")[2:]])


def restocked_twice(h: History) -> None:
    back = next(e for e in h.of("product/p1") if isinstance(e, pro.ItemsRestocked))
    h.add("product/p1", back)


def held_for_ever(h: History) -> None:
    hold = pro.ItemsReserved("o2", "o2", "p2", 1, START + timedelta(days=1))
    h.add("product/p2", hold)
    line = OrderLine("p2", 1, EUROS)
    created = next(e for e in h.of("order/o2") if isinstance(e, o.OrderCreated))
    h.change(
        "order/o2", o.OrderCreated, items=(*created.items, line), total_amount=Decimal("21.00")
    )


def owns_after_failure(h: History) -> None:
    sold = [e for e in h.of("product/p1") if not _is_restock(e, "o3")]
    h.write("product/p1", sold)


def _is_restock(event: Event, order_id: str) -> bool:
    return isinstance(event, pro.ItemsRestocked) and event.order_id == order_id


def jumped(h: History) -> None:
    h.add("order/o1", o.OrderDelivered("o1", START))


def went_on_after_the_end(h: History) -> None:
    h.add("order/o2", o.OrderShipped("o2"))


def wrong_total(h: History) -> None:
    h.change("order/o1", o.OrderCreated, total_amount=Decimal("20.01"))


def two_labels(h: History) -> None:
    h.add("order/o1", ship.ShipmentCreated("o1", "o1", "another"))


def no_label(h: History) -> None:
    h.drop("order/o1", ship.ShipmentCreated)


def paid_twice(h: History) -> None:
    h.write("payment/other", [
        pay.PaymentRequested("other", "o1", "acc", EUROS, "EUR", "card", Asker("c", "C")),
        pay.PaymentSucceeded("other", "o1", "tx-other"),
    ])  # fmt: skip


def refunded_too_much(h: History) -> None:
    h.change("payment/o5", pay.PaymentRefunded, amount=Decimal(9), refunded=Decimal(9))


def half_debited(h: History) -> None:
    h.change("payment/o1", pay.FundsDebited, amount=EUROS)


def payment_jumped(h: History) -> None:
    h.add("payment/o2", pay.PaymentSucceeded("o2", "o2", "tx-2"))


def unpaid(h: History) -> None:
    h.drop("payment/o1", pay.PaymentSucceeded)


def shipment_jumped(h: History) -> None:
    h.add("shipment/o1", ship.ShipmentStatusUpdated("o1", "Delivered", ""))


def captured_twice(h: History) -> None:
    h.gateway["captures"].append(
        h.gateway["captures"][1] | {"key": "again", "transaction_id": "tx-again"}
    )


def captured_less(h: History) -> None:
    h.gateway["captures"][1]["amount"] = Decimal("19.99")


def not_captured(h: History) -> None:
    h.gateway["captures"] = [c for c in h.gateway["captures"] if c["order_id"] != "o1"]


def not_refunded(h: History) -> None:
    h.gateway["captures"][0]["refunded"] = Decimal(0)


def booked_twice(h: History) -> None:
    h.carrier["shipments"].append(
        h.carrier["shipments"][1] | {"key": "again", "tracking_number": "track-again"}
    )


def not_booked(h: History) -> None:
    h.carrier["shipments"] = [s for s in h.carrier["shipments"] if s["order_id"] != "o1"]


BROKEN: list[tuple[Callable[[History], None], str]] = [
    (gap, "order/o1: its versions are"),
    (balance, "account/acc: says 200.00 is there, 100.00 is"),
    (overdrawn, "account/acc: has -19.00"),
    (debited_twice, "was debited twice"),
    (returned_twice, "was returned twice"),
    (not_debited, "payment/o1: 20.00 are debited, the account says 0"),
    (kept, "payment/o2: is Failed, and keeps 20.00, not 0"),
    (sold_from_nothing, "product/p2: has -2 on hand"),
    (vanished, "product/p1: gives up 1 that were held for o2, 2 were"),
    (held_twice, "product/p1: is held for o4 twice"),
    (restocked_twice, "product/p1: 2 come back from o4, which had 0"),
    (held_for_ever, "order/o2: is PaymentFailed, and 1 p2 are held for it"),
    (owns_after_failure, "order/o3: is ShipmentFailed, and owns 2 p1, not 0"),
    (jumped, "order/o1: went from Preparing to Delivered"),
    (went_on_after_the_end, "order/o2: went from PaymentFailed to Shipped"),
    (wrong_total, "order/o1: its items do not cost 20.01"),
    (two_labels, "order/o1: has two labels"),
    (no_label, "order/o1: is Preparing, and has no label"),
    (paid_twice, "o1 was paid before"),
    (refunded_too_much, "payment/o5: 9 of 5.00 are refunded"),
    (half_debited, "payment/o1: 1.00 were debited for 20.00"),
    (payment_jumped, "payment/o2: went from Failed to Succeeded"),
    (unpaid, "order/o1: is Preparing, and has not paid"),
    (unpaid, "payment/o1: is still Processing"),
    (shipment_jumped, "shipment/o1: went from Created to Delivered"),
    (captured_twice, "gateway: o1 was captured 2 times"),
    (captured_less, "gateway: tx-capture-o1 is 19.99 captured"),
    (not_captured, "gateway: tx-capture-o1 is not captured"),
    (not_refunded, "gateway: tx-capture-o4 is 20.00 captured and 0 refunded"),
    (booked_twice, "carrier: o1 was booked 2 times"),
    (booked_twice, "carrier: will fetch track-again, which no shipment has"),
    (not_booked, "carrier: will not fetch track-label-o1"),
]


@pytest.mark.parametrize(("break_", "finding"), BROKEN)
def test_what_is_wrong_is_found(break_: Callable[[History], None], finding: str) -> None:
    """S48 S105 S107 S138 S141: each rule, broken by hand; a gap in the numbers is the first."""
    broken = deepcopy(GOOD)
    break_(broken)

    found = broken.wrong()

    assert any(finding in said for said in found), found


def test_money_that_came_from_nowhere_is_found() -> None:
    """S48: though each account by itself is right."""
    h = deepcopy(GOOD)
    opened = acc.AccountOpened("Bob", "EUR")
    found = acc.FundsReturned("bob", EUROS, EUROS, "o9", "nobody-knows")
    h.write("account/bob", [opened, found])

    assert any("100.00 came in" in said for said in h.wrong())


def test_what_somebody_took_out_by_hand_is_no_finding() -> None:
    h = deepcopy(GOOD)
    h.add("account/acc", acc.AccountDebited("acc", Decimal("75.00"), EUROS, "cash", "cash"))

    assert [] == h.wrong()
