"""Each message of the flow twice, each answer lost: the same end, one charge, one shipment."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from tests.support.shop_faults import handled, hit, is_asked_again
from tests.support.shop_site import SIMULATED, ShopSite, order_of
from wherry.engine.envelope import Envelope

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

#: An order that has heard nothing for so long asks again.
SETTINGS = {"ORDERS_RECEIVE_TIMEOUT": "1", "ORDERS_CALL_TIMEOUT": "5"}
#: More answers than an order gets in any flow here.
MOST = 16

Words = tuple[str, str, dict[str, Any]]


def create(key: str) -> Words:
    return f"order/{key}", "CreateOrder", order_of([("p1", 2), ("p2", 4)], customer=f"c-{key}")


def move(status: str) -> Callable[[str], Words]:
    body = {"status": status, "location": "somewhere"}
    return lambda key: (f"shipment/{key}", "UpdateShipmentStatus", body)


def cancel(key: str) -> Words:
    return f"order/{key}", "CancelOrder", {"reason": "changed my mind"}


@dataclass(frozen=True)
class Flow:
    """What is sent for an order, each when the one before has ended; and where that leads.

    declines  who says no: gateway, carrier or nobody
    captured  what the gateway has in the end; None when it never took anything
    """

    sends: Sequence[Callable[[str], Words]]
    ends: str
    captured: Decimal | None
    notices: int = 1
    declines: str = ""


FLOWS = {
    "delivered": Flow((create, move("Shipped"), move("Delivered")), "Delivered", Decimal(30)),
    "declined": Flow((create,), "PaymentFailed", None, declines="gateway"),
    "not sent": Flow((create,), "ShipmentFailed", Decimal(0), declines="carrier"),
    "cancelled": Flow((create, cancel), "Cancelled", Decimal(0), notices=2),
}


_numbers = count(1)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopSite]:
    """One for all tests of this file: each has orders that no other has."""
    with ShopSite(tmp_path_factory.mktemp("shop"), settings=SETTINGS) as shop:
        shop.staff()
        shop.furnish({"p1": 1000, "p2": 1000}, {"acc": "10000.00"})
        yield shop


@pytest.fixture
def key() -> str:
    return f"t{next(_numbers)}"


@pytest.fixture(params=FLOWS)
def flow(request: pytest.FixtureRequest, shop: ShopSite) -> Iterator[Flow]:
    flow = FLOWS[request.param]
    if flow.declines:
        shop.outside.script(flow.declines, rates={"decline": 1})
    yield flow
    for name in SIMULATED:
        shop.outside.script(name)


def go(shop: ShopSite, flow: Flow, ids: dict[str, str]) -> None:
    """Send what belongs to a flow, for orders and what the ids of their commands begin with."""
    for number, words in enumerate(flow.sends):
        for key, id_ in ids.items():
            shop.send(*words(key), f"{id_}-{key}-{number}")
        insist(shop, words, ids)


def insist(shop: ShopSite, words: Callable[[str], Words], ids: dict[str, str]) -> None:
    """Clients that have heard nothing, and see that nothing happens, ask again."""
    shop.quiet_but_for_clients()
    for ack in list(shop.open()):
        shop.forget(ack)
        shop.send(*words(ack.entity.partition("/")[2]))
    shop.quiet()


def require_ended(shop: ShopSite, flow: Flow, key: str) -> None:
    assert shop.order_of(key).status == flow.ends
    assert shop.captured().get(key) == flow.captured
    assert len(shop.notices(f"c-{key}")) == flow.notices


def test_each_message_is_handled_twice_and_all_ends_as_if_once(
    shop: ShopSite, flow: Flow, key: str
) -> None:
    """S106 S107: and each call to the outside world is asked for twice, with the same key."""
    go(shop, flow, {key: "twice-0"})

    counted = Counter(envelope.id for envelope in flow_of(shop, f"twice-0-{key}-"))
    assert len([id_ for id_, count in counted.items() if count > 1]) > 10
    require_ended(shop, flow, key)
    assert shop.wrong() == []


def test_every_message_comes_again_when_all_is_over_and_changes_nothing(
    shop: ShopSite, flow: Flow, key: str
) -> None:
    """S106 S107: one by one in order, then all together in any order."""
    go(shop, flow, {key: "plain"})
    before, mine = shop.read().states, flow_of(shop, f"plain-{key}-")
    assert len(mine) > 20

    for number, envelope in enumerate(mine):
        shop.resend([envelope], f"~{number}")
        shop.quiet()
        assert shop.read().states == before, f"{envelope.type} to {envelope.to} came again"
    shop.resend(random.Random(3).sample(mine, len(mine)), "~again")
    shop.quiet()

    assert shop.read().states == before
    require_ended(shop, flow, key)
    assert shop.wrong() == []


def flow_of(shop: ShopSite, prefix: str) -> list[Envelope]:
    """The messages that were handled because of the commands whose ids begin so."""
    return [e for e in handled(shop.faults) if e.correlation.startswith(prefix)]


def test_each_answer_that_an_order_gets_is_lost_once_and_asked_for_again(
    shop: ShopSite, flow: Flow, key: str
) -> None:
    """S106 S108 S110: no process loses an answer; should one be lost, this is what follows."""
    ids = {f"{key}-{n}": f"lost-{n}" for n in range(1, MOST + 1)}
    go(shop, flow, ids)

    whole = [e for e in flow_of(shop, f"lost-{MOST}-{key}-{MOST}-0") if is_asked_again(e)]
    assert MOST > len(whole) > 5, "answers that an order gets when none is lost"
    lost = hit(shop.faults)
    assert {f"lost-{n}-{key}-{n}-0" for n in range(1, len(whole) + 1)} <= lost
    for one in ids:
        require_ended(shop, flow, one)
    assert shop.wrong() == []
