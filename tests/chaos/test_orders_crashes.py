"""Workers die at each message of an order, runners at each stage of each call: the same end."""

import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.shop_faults import handled, hit
from tests.support.shop_site import ShopSite
from tests.support.site import eventually

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(1800)]

#: The seed's flow has fifteen steps; here are its messages, between entities and from outside.
STEPS = 15
PATIENCE_S = 600.0
STAGES = ("begun", "made", "told")
ITEMS = (("p1", 2), ("p2", 4))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ShopSite]:
    with ShopSite(tmp_path, sweep_every=1, linger=1) as shop:
        shop.staff()
        shop.furnish({"p1": 1000, "p2": 1000}, {"acc": "10000.00"})
        yield shop


def messages_of_an_order(shop: ShopSite) -> int:
    """How many messages lead to the label, when nobody dies."""
    shop.order("plain", *ITEMS, id_="plain-0")
    shop.quiet()
    return len([e for e in handled(shop.faults) if e.correlation == "plain-0"])


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_dies_at_each_message_of_an_order(shop: ShopSite, when: str) -> None:
    """S106 S134 S137: before it is handled, and when it is stored and nobody has heard of it."""
    count = messages_of_an_order(shop)
    assert count > STEPS
    keys = [f"{when}-{n}-x" for n in range(1, count + 1)]
    for key in keys:
        shop.order(key, *ITEMS, id_=key)
    shop.quiet(PATIENCE_S)

    # A turn may have several of an order's messages: who dies after it, dies once.
    died = hit(shop.faults) & set(keys)
    sys.stderr.write(f"died {when} {len(died)} of {count} messages of an order\n")
    assert died == set(keys)
    require_delivered(shop, keys)


@pytest.mark.parametrize("call", ["capture", "label"])
def test_a_runner_dies_at_each_stage_of_a_call_that_takes(shop: ShopSite, call: str) -> None:
    """S41 S106 S134: before the call, after it, and when its answer is stored."""
    keys = [f"{call}-{stage}-x" for stage in STAGES]
    for key in keys:  # one by one: whose runner dies because of another is where no test wants it
        shop.order(key, *ITEMS)
        shop.quiet(PATIENCE_S)

    assert hit(shop.faults) == set(keys)
    require_delivered(shop, keys)


def require_delivered(shop: ShopSite, keys: list[str]) -> None:
    """As good as: the carrier has the parcel, and is paid for once."""
    space, captured = shop.read(), shop.captured()
    assert {space.states[f"order/{key}"].status for key in keys} == {"Preparing"}
    assert [captured[key] for key in keys] == [Decimal(30)] * len(keys)
    assert sorted(k for k in shop.booked() if k != "plain") == sorted(keys)
    assert shop.wrong() == []


@pytest.mark.parametrize("call", ["refund", "cancel"])
def test_a_runner_dies_at_each_stage_of_a_call_that_gives_back(shop: ShopSite, call: str) -> None:
    """S45 S106 S134: the money comes back once, and the carrier fetches nothing."""
    keys = [f"{call}-{stage}-x" for stage in STAGES]
    for key in keys:
        shop.order(key, *ITEMS)
        shop.quiet(PATIENCE_S)
        shop.send(f"order/{key}", "CancelOrder", {"reason": "changed my mind"})
        shop.quiet(PATIENCE_S)

    assert hit(shop.faults) == set(keys)
    assert {shop.order_of(key).status for key in keys} == {"Cancelled"}
    assert shop.balance() == 10_000
    assert set(shop.captured().values()) == {Decimal(0)}
    assert shop.booked() == []
    assert shop.wrong() == []


def test_a_runner_dies_while_it_voids_a_capture(tmp_path: Path) -> None:
    """S40 S106 S134: nobody learned what became of the capture, and it is undone once."""
    settings = {
        "ORDERS_RETRY_WITHIN": "4", "ORDERS_CALL_TIMEOUT": "3", "ORDERS_BREAKER_RESET": "0.5",
    }  # fmt: skip
    with ShopSite(tmp_path, settings=settings, sweep_every=1) as shop:
        shop.staff()
        shop.furnish()
        keys = [f"void-{stage}-x" for stage in STAGES]
        for key in keys:
            void(shop, key)

        assert hit(shop.faults) == set(keys)
        assert {shop.order_of(key).status for key in keys} == {"PaymentFailed"}
        assert shop.balance() == 1000
        assert shop.captured() == {}
        assert shop.wrong() == []


def void(shop: ShopSite, key: str) -> None:
    """The gateway takes the money, and is gone until nobody asks for it any more."""
    shop.outside.script("gateway", next=["timeout"])
    shop.order(key, ("p1", 1))
    eventually(lambda: key in shop.captured(), "it is captured")
    shop.outside.script("gateway", down=True)
    eventually(lambda: waits_for_void(shop, key), "the payment has given up")
    shop.outside.script("gateway")
    shop.quiet(PATIENCE_S)


def waits_for_void(shop: ShopSite, key: str) -> bool:
    payments = {key: payment for key, _, payment in shop.read().of("payment")}
    return bool(payments[key].step == "void")
