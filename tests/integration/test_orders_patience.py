"""Orders whose partners do not answer for long: they ask again, and in the end they go back."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.shop_site import ShopSite, kill_fork
from tests.support.site import eventually, kill

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

#: An order looks after itself five times a second, and gives up after ten times.
IMPATIENT = {"ORDERS_RECEIVE_TIMEOUT": "0.2", "ORDERS_BREAKER_RESET": "0.5"}

Open = Callable[[Mapping[str, str]], ShopSite]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Open]:
    """Opens a shop with some settings. In the end all books are checked."""
    with ExitStack() as stack:

        def open_(settings: Mapping[str, str]) -> ShopSite:
            shop = stack.enter_context(ShopSite(tmp_path, settings=settings))
            shop.staff()
            shop.furnish()
            stack.callback(check, shop)
            return shop

        yield open_


def check(shop: ShopSite) -> None:
    shop.quiet()
    assert shop.wrong() == []


def test_a_payment_that_succeeds_after_its_order_has_given_up_is_refunded(shop: Open) -> None:
    """S108 S109 S110: it asks again ten times, then compensates; a late success goes back."""
    site = shop(IMPATIENT)
    site.outside.script("gateway", down=True)
    site.order("o1")
    eventually(lambda: "PaymentGivenUp" in events(site), "the order has given up")
    assert site.order_of().status == "PaymentFailed"
    told = events(site)
    assert told[: told.index("PaymentGivenUp")].count("OrderChecked") == 10
    site.outside.script("gateway")
    site.quiet()

    assert site.order_of().status == "PaymentFailed"
    assert site.order_of().reason == "TimedOut"
    assert site.payment_of().status == "Refunded"
    assert (site.balance(), site.captured()) == (Decimal(1000), {"o1": Decimal(0)})
    assert site.stock() == (100, 0, 0)
    assert site.notices() == [("o1", "OrderCancelled", "PaymentFailed")]


def events(site: ShopSite) -> list[str]:
    return site.types("order/o1") if "order/o1" in site.read().entities else []


def test_a_label_that_comes_after_its_order_has_given_up_is_cancelled(shop: Open) -> None:
    """S105 S110: the carrier fetches nothing, the money is back."""
    site = shop(IMPATIENT)
    site.outside.script("carrier", down=True)
    site.order("o1")
    eventually(lambda: "ShipmentFailed" in events(site), "the order has given up")
    site.outside.script("carrier")
    site.quiet()

    assert site.order_of().status == "ShipmentFailed"
    assert (site.balance(), site.booked()) == (Decimal(1000), [])
    assert site.payment_of().status == "Refunded"


def test_an_order_waits_for_a_gateway_as_long_as_its_policy_says(shop: Open) -> None:
    """S40 S137: the calls end with their time, nothing was captured, and all goes back."""
    site = shop({"ORDERS_RETRY_WITHIN": "3", "ORDERS_BREAKER_RESET": "0.5"})
    site.outside.script("gateway", down=True)
    site.order("o1")
    site.quiet()

    assert site.order_of().status == "PaymentFailed"
    assert site.order_of().reason == "effect-failed"
    assert (site.balance(), site.captured()) == (Decimal(1000), {})


def test_a_capture_of_which_nobody_learns_is_voided(shop: Open) -> None:
    """S40 S105: it was done, nobody can ask for it, and its time is over: so it is undone."""
    site = shop(
        {"ORDERS_RETRY_WITHIN": "5", "ORDERS_CALL_TIMEOUT": "4", "ORDERS_BREAKER_RESET": "0.5"}
    )
    site.outside.script("gateway", next=["timeout"])
    site.order("o1")
    eventually(lambda: site.captured(), "the gateway has the money, and does not say so")
    site.outside.script("gateway", down=True)
    eventually(lambda: "CaptureUnknown" in payment_events(site), "the payment has given up")
    assert site.payment_of().status == "Processing", "nobody is told before it is certain"
    site.outside.script("gateway")
    site.quiet()

    assert site.order_of().status == "PaymentFailed"
    assert site.order_of().reason == "outcome-unknown"
    assert (site.balance(), site.captured()) == (Decimal(1000), {})


def payment_events(site: ShopSite) -> list[str]:
    return site.types("payment/o1") if "payment/o1" in site.read().entities else []


def test_orders_go_on_when_everything_was_killed_and_started_again(tmp_path: Path) -> None:
    """S97 S136 S137: the store, the worker, the runner - all at once, in the middle of orders."""
    with ShopSite(tmp_path) as site:
        (worker,), (runner,) = site.staff()
        site.furnish()
        site.outside.script("gateway", latency_ms=200)
        site.outside.script("carrier", latency_ms=200)
        for n in range(20):
            site.order(f"o{n}", ("p1", 1))
        eventually(lambda: site.captured(), "some are paid")
        site.server.kill()
        for process in (worker, runner):
            kill(process)
        site.server.start()
        site.staff()
        site.quiet()

        assert {site.order_of(f"o{n}").status for n in range(20)} == {"Preparing"}
        assert site.captured() == {f"o{n}": Decimal(10) for n in range(20)}
        assert site.wrong() == []


def test_orders_go_on_while_workers_and_runners_come_and_go(tmp_path: Path) -> None:
    """S136: two of each, and none of them lives long."""
    with ShopSite(tmp_path) as site:
        workers, runners = site.staff(workers=2, runners=2)
        site.furnish()
        site.outside.script("gateway", latency_ms=50)
        for n in range(30):
            site.order(f"o{n}", ("p1", 1), ("p2", 1))
            kill_fork((workers if n % 2 else runners)[n // 2 % 2])
        site.quiet()

        assert {site.order_of(f"o{n}").status for n in range(30)} == {"Preparing"}
        assert site.wrong() == []
