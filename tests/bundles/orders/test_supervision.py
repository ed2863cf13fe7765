"""Supervision of the order system's entities: what an error does to one, and not to the others."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orders.messages.order import CheckOrderStatus
from orders.messages.product import UpdateStock
from tests.support.shop import Shop, require_good, shop
from wherry import Damaged, Transient
from wherry.engine.decision import Decision

MINUTE = timedelta(minutes=1)
ASK = CheckOrderStatus()


def faulty(found: Shop, error: Exception, kind: str = "order", of: type = CheckOrderStatus) -> None:
    """Let the handler of a command raise."""
    commands = found.world.registry.kinds[kind].commands

    def fail(*_: object) -> Decision:
        raise error

    commands[of.__name__] = replace(commands[of.__name__], decide=fail)


def two_orders() -> Shop:
    found = shop()
    found.order("o1")
    found.order("o2")
    return found


def test_a_transient_error_restarts_the_entity() -> None:
    """S112 S114: its state is what its log tells; the message is a dead letter."""
    found = two_orders()
    before = found.order_of()
    faulty(found, Transient("not now"))

    sent = found.world.send("order/o1", ASK)

    assert "dead" == sent.status
    assert [1] == [len(a.restarts) for a in found.world.attention.values()]
    assert not found.world.attention["order/o1"].stopped
    assert before == found.order_of()
    assert "CheckOrderStatus" == found.world.dead[0]["type"]


def test_three_restarts_in_a_minute_and_the_fourth_stops_it() -> None:
    """S113 S117: it is on the attention list, and takes no messages until somebody looks."""
    found = two_orders()
    faulty(found, Transient("not now"))
    for _ in range(4):
        found.world.send("order/o1", ASK)
    stopped = found.world.attention["order/o1"]
    assert (True, "too-many-restarts") == (stopped.stopped, stopped.directive)

    assert "entity-stopped" == found.world.send("order/o1", ASK).rejected


def test_restarts_are_counted_within_a_minute() -> None:
    """S113: three in each are allowed."""
    found = two_orders()
    faulty(found, Transient("not now"))
    for _ in range(4):
        for _ in range(3):
            found.world.send("order/o1", ASK)
        found.world.clock.advance(MINUTE)

    assert not found.world.attention["order/o1"].stopped


@pytest.mark.parametrize(
    ("error", "directive"),
    [
        pytest.param(Damaged("unreadable"), "stop", id="S115"),
        pytest.param(ValueError("bug"), "escalate", id="S116"),
    ],
)
def test_other_errors_stop_the_entity(error: Exception, directive: str) -> None:
    """S115 S116: at once; escalated ones are counted against the kind."""
    found = two_orders()
    faulty(found, error)

    found.world.send("order/o1", ASK)

    assert (True, directive) == (
        found.world.attention["order/o1"].stopped, found.world.attention["order/o1"].directive
    )  # fmt: skip
    assert 1 == found.world.counters[f"supervised:order:{directive}"]
    assert 1 == found.world.counters["handled:order:failed"]


def test_siblings_are_not_concerned() -> None:
    """S112: one for one."""
    found = two_orders()
    faulty(found, ValueError("bug"))
    found.world.send("order/o1", ASK)

    assert {"order/o1"} == set(found.world.attention)
    assert "done" == found.order("o3").status
    assert "Preparing" == found.order_of("o3").status


def test_a_stopped_product_refuses_orders_and_keeps_what_it_has() -> None:
    """S112 S116 S120: until an operator lets it go on; then all is as it was."""
    found = two_orders()
    right = found.world.registry.kinds["product"].commands["UpdateStock"]
    faulty(found, KeyError("bug"), "product", UpdateStock)
    found.world.send("product/p1", UpdateStock(7))
    assert "entity-stopped" == found.order("o3").rejected

    found.world.registry.kinds["product"].commands["UpdateStock"] = right
    found.world.restart("product/p1")
    assert (6, 0, 4) == found.stock()
    assert "done" == found.world.send("product/p1", UpdateStock(7)).status
    assert "done" == found.order("o3").status
    found.world.dead.clear()
    require_good(found)


def test_what_cannot_be_handled_is_a_dead_letter_with_its_reason() -> None:
    """S120: the message, the error, who and when - to be retried or dropped."""
    found = two_orders()
    faulty(found, ValueError("bug in the handler"))
    found.world.send("order/o1", ASK, id="c-dead")

    (letter,) = found.world.dead
    assert ("order/o1", "CheckOrderStatus", "c-dead") == (
        letter["entity"], letter["type"], letter["id"]
    )  # fmt: skip
    assert "bug in the handler" in letter["error"]


def test_the_counters_tell_what_happened() -> None:
    """S121 S123 S124: handled by outcome, and every change of status by kind."""
    found = two_orders()

    counters = found.world.counters
    assert 2 == counters["moved:order:new:Pending"]
    assert 2 == counters["moved:order:PaymentProcessing:PaymentConfirmed"]
    assert 0 < counters["handled:product:accepted"]
    assert 0 == counters["handled:order:failed"]
