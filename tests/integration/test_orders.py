"""Orders on real processes: worker, runner, and gateway and carrier as servers on real sockets.

One shop serves all tests of this file; each has an order, an account and a customer of its own.
After each of them all books are checked: those of the shop, and those of gateway and carrier.
"""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from tests.support.shop_faults import handled
from tests.support.shop_site import SIMULATED, ShopSite, in_kinds
from tests.support.site import eventually, in_threads
from wherry.engine.envelope import Result
from wherry.gateway.requests import Request

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

#: What the bundle's calls may take here; all else is as it is delivered.
SETTINGS = {
    "ORDERS_CALL_TIMEOUT": "1", "ORDERS_BREAKER_RESET": "1", "ORDERS_RETRY_WITHIN": "30",
}  # fmt: skip

_numbers = count(1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopSite]:
    with ShopSite(tmp_path_factory.mktemp("shop"), settings=SETTINGS) as site:
        site.staff()
        site.furnish({"p1": 10_000, "p2": 10_000})
        yield site


@dataclass
class Client:
    """One customer of the shop, with an account and orders that nobody else has."""

    site: ShopSite
    name: str

    @property
    def key(self) -> str:
        """Its order."""
        return f"o-{self.name}"

    def order(self, *items: tuple[str, int], key: str = "", account: str = "") -> Request:
        return self.site.order(
            key or self.key, *items, account=account or f"a-{self.name}", customer=f"c-{self.name}"
        )

    def ends(self, *items: tuple[str, int]) -> str:
        """Order, wait until all is quiet, and say where it has ended."""
        self.order(*items)
        return self.end()

    def end(self, key: str = "") -> str:
        """Wait until all is quiet, and say where an order has ended."""
        self.site.quiet()
        return self.site.order_of(key or self.key).status

    def do(self, kind: str, name: str, **body: Any) -> Result:
        return self.site.do(f"{kind}/{self.key}", name, body)

    def ship(self, *statuses: str) -> None:
        for status in statuses:
            done = self.do("shipment", "UpdateShipmentStatus", status=status, location="somewhere")
            assert done.status == "done"

    @property
    def balance(self) -> Decimal:
        return self.site.balance(f"a-{self.name}")

    @property
    def notices(self) -> list[tuple[str, str]]:
        return [(notice, reason) for _, notice, reason in self.site.notices(f"c-{self.name}")]

    @property
    def captured(self) -> Decimal | None:
        """What the gateway has of the order; None when it never took anything."""
        return self.site.captured().get(self.key)

    @property
    def is_booked(self) -> bool:
        return self.key in self.site.booked()


@pytest.fixture
def ann(site: ShopSite) -> Iterator[Client]:
    """A customer with a hundred euros. In the end all books are checked."""
    ann = Client(site, f"ann{next(_numbers)}")
    site.furnish({"p1": 10_000, "p2": 10_000}, {f"a-{ann.name}": "100.00"})
    yield ann
    for name in SIMULATED:
        site.outside.script(name)
    site.quiet()
    assert site.wrong() == []


def paid_nothing(ann: Client) -> bool:
    """Whether everything is where it was before the order."""
    return ann.balance == 100 and not ann.captured and not ann.is_booked


# -- the way forward -----------------------------------------------------------------------------

#: The seed's fifteen messages: who sends what to whom. A payment that has succeeded, and a shipment
#: that was created, are the answers to what was asked of them.
FLOW = [
    " > order CreateOrder",  # S75, and S76: the order comes into being by it
    "order > product CheckAvailability",
    "product > order Answer",
    "order > product ReserveItems",
    "product > order Answer",
    "order > account ValidateAccount",
    "account > order Answer",
    "order > payment ProcessPayment",
    "payment > account DebitAccount",
    "account > payment Answer",
    "gateway > payment Answer",
    "payment > order Answer",
    "order > product SellItems",
    "product > order Answer",
    "order > shipment CreateShipment",
    "carrier > shipment Answer",
    "shipment > order Answer",
    "order > customer Notify",
]


def test_an_order_is_paid_sent_and_delivered(ann: Client) -> None:
    """S75 S76 S77 S78 S79 S80 S81 S82 S83 S84 S85 S86 S87 S88 S89 S125: in this order, one id."""
    request = ann.order()
    ann.site.quiet()
    mine = [e for e in handled(ann.site.faults) if e.correlation == request.command_id]
    assert in_kinds(mine) == FLOW
    ann.ship("Shipped", "InTransit", "OutForDelivery", "Delivered")

    assert ann.end() == "Delivered"
    assert (ann.balance, ann.captured, ann.is_booked) == (Decimal(80), Decimal(20), True)
    assert ann.notices == [("OrderConfirmed", "")]
    posted = {n["key"]: n["asked"] for n in ann.site.outside.ledger("webhook")["notices"]}
    assert posted[f"OrderConfirmed-{ann.key}"] == 1


def test_the_log_of_a_delivered_order_is_its_audit_trail(ann: Client) -> None:
    """S127 S128 S138: and every event of it names the command that all came from."""
    request = ann.order(("p1", 1), ("p2", 2))
    ann.site.quiet()
    ann.ship("Shipped", "Delivered")
    ann.site.quiet()

    told = ann.site.types(f"order/{ann.key}")
    trail = ["OrderCreated", "ItemsReserved", "PaymentProcessed", "ShipmentCreated"]
    assert [name for name in told if name in [*trail, "OrderDelivered"]] == [
        *trail, "OrderDelivered",
    ]  # fmt: skip
    log = [fields for _, fields in ann.site.read().entities[f"order/{ann.key}"].log]
    to_the_label = log[: told.index("ShipmentCreated") + 1]
    assert {f[b"corr"].decode() for f in to_the_label} == {request.command_id}


def test_many_orders_at_once_end_as_if_one_came_after_the_other(ann: Client) -> None:
    """S2 S135: ten want two each of five; two get them, and nobody else has paid."""
    product = f"p-{ann.name}"
    ann.site.furnish({product: 5}, {f"a-{ann.name}-{n}": "50.00" for n in range(10)})

    def order(n: int) -> None:
        ann.order((product, 2), key=f"{ann.key}-{n}", account=f"a-{ann.name}-{n}")

    in_threads(10, order)
    ends = sorted(ann.end(f"{ann.key}-{n}") for n in range(10))

    assert ends == ["Cancelled"] * 8 + ["Preparing"] * 2
    assert ann.site.stock(product) == (1, 0, 4)


# -- what goes wrong before it is paid -----------------------------------------------------------


def test_without_enough_money_nothing_is_kept(ann: Client) -> None:
    """S56 S90 S91 S92 S93 S105: InsufficientFunds, released, and the customer is told."""
    assert ann.ends(("p1", 11)) == "PaymentFailed"

    assert ann.site.order_of(ann.key).reason == "insufficient-funds"
    assert ann.captured is None
    assert paid_nothing(ann)
    assert ann.notices == [("OrderCancelled", "PaymentFailed")]


def test_one_of_several_products_is_missing_and_nothing_is_held(ann: Client) -> None:
    """S62 S63: all or nothing."""
    scarce = f"p-{ann.name}"
    ann.site.furnish({scarce: 1}, {"unused": "1.00"})

    assert ann.ends(("p1", 2), (scarce, 2), ("p2", 1)) == "Cancelled"

    assert ann.site.order_of(ann.key).reason == "ItemsUnavailable"
    assert ann.site.stock(scarce) == (1, 0, 0)
    assert paid_nothing(ann)
    assert ann.notices == [("OrderCancelled", "ItemsUnavailable")]


def test_a_product_that_nobody_knows_leaves_no_trace(ann: Client) -> None:
    request = ann.order(("p1", 1), ("nothing", 1))
    ann.site.quiet()

    refused = ann.site.result(request)
    assert refused.problem is not None
    assert (refused.status, refused.problem.code) == ("rejected", "unknown-product")
    assert f"order/{ann.key}" not in ann.site.read().entities


def test_a_closed_account_pays_nothing(ann: Client) -> None:
    """S50 S52: the negative of AccountValid."""
    ann.site.do(f"account/a-{ann.name}", "CloseAccount", {})

    assert ann.ends() == "Cancelled"

    assert ann.site.order_of(ann.key).reason == "AccountNotOpen"
    assert paid_nothing(ann)


# -- the gateway ---------------------------------------------------------------------------------


def test_a_declined_card_gives_back_what_was_debited(ann: Client) -> None:
    """S44: the account was debited before, and has its money again."""
    ann.site.outside.script("gateway", next=["decline"])

    assert ann.ends() == "PaymentFailed"

    assert ann.site.order_of(ann.key).reason == "card-declined"
    assert paid_nothing(ann)
    assert "FundsReturned" in ann.site.types(f"account/a-{ann.name}")
    assert ann.notices == [("OrderCancelled", "PaymentFailed")]


@pytest.mark.parametrize("fate", ["error", "lost", "timeout", "hang"])
@pytest.mark.parametrize("of", ["gateway", "carrier"])
def test_whatever_becomes_of_an_answer_there_is_one_charge_and_one_shipment(
    ann: Client, of: str, fate: str
) -> None:
    """S40 S41 S118 S137: not done, done and not told, done and silent, not done and silent."""
    ann.site.outside.script(of, next=[fate])

    assert ann.ends() == "Preparing"

    assert (ann.balance, ann.captured, ann.is_booked) == (Decimal(80), Decimal(20), True)
    assert ann.notices == [("OrderConfirmed", "")]
    asked = ann.site.outside.ledger(of)[{"gateway": "captures", "carrier": "shipments"}[of]]
    assert [e["asked"] for e in asked if e["order_id"] == ann.key] == [1], "it was asked for"


def test_calls_to_a_gateway_that_is_down_stop_and_come_back_by_themselves(ann: Client) -> None:
    """S119: five failures in a row open the breaker; then one probe, and no flood."""
    outside, orders = ann.site.outside, [f"{ann.key}-{n}" for n in range(9)]
    before = outside.calls("gateway").get("/captures", 0)
    outside.script("gateway", down=True)
    for key in orders:
        ann.order(("p2", 1), key=key)

    eventually(lambda: breaker(ann.site) == "open", "the breaker is open")
    opened = outside.calls("gateway")["/captures"] - before
    assert opened <= 5, "no more than may fail"
    outside.script("gateway")
    ends = {ann.end(key) for key in orders}

    assert ends == {"Preparing"}
    assert breaker(ann.site) == "closed"
    captured = ann.site.captured()
    assert all(captured[key] == Decimal("2.50") for key in orders)


def breaker(site: ShopSite) -> str:
    found = site.runtime.redis.hget(site.runtime.store.keys.breaker("gateway"), "state")
    return (found or b"closed").decode()  # type: ignore[union-attr]


# -- after the payment ---------------------------------------------------------------------------


def test_a_reservation_that_was_lost_after_the_payment_is_refunded(ann: Client) -> None:
    """S25 S35: OutOfStock, with the money back."""
    ann.site.outside.script("gateway", latency_ms=800)
    ann.order()
    eventually(lambda: ann.site.calls(), "the gateway has been asked")
    ann.site.do("product/p1", "ReleaseReservation", {"order_id": ann.key})

    assert ann.end() == "OutOfStock"

    assert paid_nothing(ann)
    assert ann.notices == [("OrderCancelled", "OutOfStock")]


def test_a_carrier_that_refuses_brings_money_and_items_back(ann: Client) -> None:
    """S26 S36: ShipmentFailed refunds and restocks."""
    ann.site.outside.script("carrier", next=["decline"])

    assert ann.ends(("p1", 2), ("p2", 1)) == "ShipmentFailed"

    assert paid_nothing(ann)
    assert ann.site.payment_of(ann.key).status == "Refunded"
    assert ann.notices == [("OrderCancelled", "ShipmentFailed")]


def test_a_refund_gets_through_a_gateway_that_is_broken(ann: Client) -> None:
    """S45: what gives back is never given up, and gives back once."""
    ann.order()
    ann.site.quiet()
    ann.site.outside.script("gateway", next=["error", "lost", "timeout", "hang", "error"])
    assert ann.do("order", "CancelOrder", reason="changed my mind").status == "done"

    assert ann.end() == "Cancelled"

    assert paid_nothing(ann)


def test_a_return_gives_back_what_was_not_refunded_before(ann: Client) -> None:
    """S27 S37 S45: in part by hand, the rest when the parcel has come back."""
    ann.order()
    ann.site.quiet()
    ann.ship("Shipped")
    part = ann.do("payment", "RefundPayment", amount="7.50")
    assert part.status == "done"
    ann.site.quiet()
    assert ann.site.payment_of(ann.key).status == "PartiallyRefunded"
    too_much = ann.do("payment", "RefundPayment", amount="12.51")
    assert too_much.problem is not None
    assert too_much.problem.code == "refund-exceeds-payment"
    assert ann.do("order", "RequestReturn", reason="too small").status == "done"
    assert ann.do("order", "AcceptReturn").status == "done"

    assert ann.end() == "ReturnRequested"

    assert (ann.balance, ann.captured) == (Decimal(100), Decimal(0))
    assert ann.site.payment_of(ann.key).status == "Refunded"


def test_a_cancel_races_the_payment_and_nobody_loses_money(ann: Client) -> None:
    """S16 S33: at any moment of the flow; cancelled means that everything is back."""
    draw, keys = random.Random(5), [f"{ann.key}-{n}" for n in range(24)]
    ann.site.outside.script("gateway", latency_ms=30)
    ann.site.outside.script("carrier", latency_ms=30)
    answers = []
    for key in keys:
        ann.order(("p2", 1), key=key)
        time.sleep(draw.uniform(0, 0.25))
        answers.append(ann.site.send(f"order/{key}", "CancelOrder", {"reason": "changed my mind"}))
    ann.site.quiet()

    space, captured = ann.site.read(), ann.site.captured()
    for key, answer in zip(keys, answers, strict=True):
        order, told = space.states[f"order/{key}"], ann.site.result(answer)
        if told.status == "done":
            assert order.status == "Cancelled"
            assert captured.get(key, 0) == 0
        else:
            assert order.status == "Preparing", "it came before the order"
