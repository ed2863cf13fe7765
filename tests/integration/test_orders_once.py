"""Each message of the flow twice, each answer lost: the same end, one charge, one shipment."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.shop_faults import handled, hit, is_asked_again
from tests.support.shop_site import ShopSite, order_of
from wherry.engine.envelope import Envelope

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

#: An order that has heard nothing for so long asks again.
SETTINGS = {"ORDERS_RECEIVE_TIMEOUT": "1", "ORDERS_CALL_TIMEOUT": "5"}
#: More answers than an order gets in any flow here.
MOST = 16

Words = tuple[str, str, dict[str, Any]]


def create(key: str) -> Words:
    return f"order/{key}", "CreateOrder", order_of([("p1", 2), ("p2", 4)])


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


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ShopSite]:
    with ShopSite(tmp_path, settings=SETTINGS) as shop:
        shop.staff()
        shop.furnish({"p1": 1000, "p2": 1000}, {"acc": "10000.00"})
        yield shop


@pytest.fixture(params=FLOWS)
def flow(request: pytest.FixtureRequest, shop: ShopSite) -> Flow:
    flow = FLOWS[request.param]
    if flow.declines:
        shop.outside.script(flow.declines, rates={"decline": 1})
    return flow


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


def require_ended(shop: ShopSite, flow: Flow, key: str = "o1") -> None:
    assert shop.order_of(key).status == flow.ends
    assert shop.captured().get(key) == flow.captured


def test_each_message_is_handled_twice_and_all_ends_as_if_once(shop: ShopSite, flow: Flow) -> None:
    """S106 S107: and each call to the outside world is asked for twice, with the same key."""
    go(shop, flow, {"o1": "twice-0"})

    counted = Counter(envelope.id for envelope in handled(shop.faults))
    assert len([id_ for id_, count in counted.items() if count > 1]) > 10
    require_ended(shop, flow)
    assert len(shop.notices()) == flow.notices
    assert shop.wrong() == []


def test_every_message_comes_again_when_all_is_over_and_changes_nothing(
    shop: ShopSite, flow: Flow
) -> None:
    """S106 S107: one by one in order, then all together in any order."""
    go(shop, flow, {"o1": "plain"})
    before, mine = shop.read().states, flow_of(shop)
    assert len(mine) > 20

    for number, envelope in enumerate(mine):
        shop.resend([envelope], f"~{number}")
        shop.quiet()
        assert shop.read().states == before, f"{envelope.type} to {envelope.to} came again"
    shop.resend(random.Random(3).sample(mine, len(mine)), "~again")
    shop.quiet()

    assert shop.read().states == before
    require_ended(shop, flow)
    assert shop.wrong() == []


def flow_of(shop: ShopSite) -> list[Envelope]:
    return [e for e in handled(shop.faults) if e.correlation.startswith("plain-")]


def test_each_answer_that_an_order_gets_is_lost_once_and_asked_for_again(
    shop: ShopSite, flow: Flow
) -> None:
    """S106 S108 S110: no process loses an answer; should one be lost, this is what follows."""
    ids = {f"o{n}": f"lost-{n}" for n in range(1, MOST + 1)}
    go(shop, flow, ids)

    lost = hit(shop.faults)
    answers = {f"lost-{n}-o{n}-0" for n in range(1, answers_to_an_order(shop) + 1)}
    assert MOST > len(answers) > 5
    assert answers <= lost
    for key in ids:
        require_ended(shop, flow, key)
    assert shop.wrong() == []


def answers_to_an_order(shop: ShopSite) -> int:
    """How many answers an order gets because of its first command, when none is lost."""
    whole = [e for e in handled(shop.faults) if e.correlation == f"lost-{MOST}-o{MOST}-0"]
    return len([envelope for envelope in whole if is_asked_again(envelope)])
