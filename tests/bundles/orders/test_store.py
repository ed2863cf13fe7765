"""The order bundle on a store: what World does in memory is what Redis keeps, and refuses."""

from typing import Any

import pytest
from redis import Redis

import orders
from orders.messages.kinds import OrderKind
from orders.messages.order import AcceptReturn, CreateOrder, RequestReturn
from orders.messages.outside import Booked, BookShipment, Capture, Captured, GaveBack, Refund
from orders.messages.shipment import UpdateShipmentStatus
from orders.messages.values import OrderItem
from orders.order.lifecycle import LIFECYCLE, STATES
from tests.support import forge, invariants
from tests.support.books import stored_logs
from tests.support.ledger import wrong
from tests.support.shop import ADDRESS, OPENING
from tests.support.yard import Yard
from wherry import Rejected
from wherry.engine.envelope import ANSWER, Envelope, raw, read_envelope
from wherry.engine.registry import Registry
from wherry.store import library
from wherry.store.client import Store
from wherry.testing.outcomes import answer_to

REGISTRY = Registry(orders.app, 2)
CREATE = CreateOrder("ann", "acc", (OrderItem("p1", 2), OrderItem("p2", 1)), ADDRESS, "card")


class Quay(Yard):
    """The order bundle on a Redis; turns and answers from outside are given by hand."""

    def __post_init__(self) -> None:
        self.partitions, self.registry = REGISTRY.partitions, REGISTRY
        library.load(self.redis, self.namespace, self.registry)
        self.store = Store(self.redis, self.namespace)
        self.answered: set[str] = set()
        for address, command in OPENING:
            self.send(address, command)
        self.settle()

    def answer(self, command: type[Any], outcome: Any) -> None:
        """Answer the call of a command that waits."""
        call = next(c for c in self.calls() if c.type == command.__name__)
        self.answered.add(call.id)
        answer = answer_to(command, outcome, call.carry, call.tag)
        self.put(
            Envelope(f"{call.id}.answer", call.sender, ANSWER, raw(answer), sender=call.to,
                     corr=call.corr, cause=call.id)
        )  # fmt: skip
        self.settle()

    def calls(self) -> list[Envelope]:
        """The calls that the commits have stored, and nobody has answered."""
        keys = (self.store.keys.partition(p).effect for p in range(self.partitions))
        stored: list[Any] = [text for key in keys for text in self.redis.hvals(key)]
        return [c for c in map(read_envelope, stored) if c.id not in self.answered]

    def findings(self, *, quiet: bool = True) -> list[str]:
        space = invariants.read(self.redis, self.namespace, self.registry)
        return [*invariants.wrong(space), *wrong(stored_logs(space), quiet=quiet)]


def delivered_and_returned(redis: Redis) -> Quay:
    quay = Quay(redis)
    quay.send("order/o1", CREATE)
    quay.settle()
    quay.answer(Capture, Captured("tx-1"))
    quay.answer(BookShipment, Booked("track-1"))
    quay.send("shipment/o1", UpdateShipmentStatus("Shipped"))
    quay.send("order/o1", RequestReturn("too small"))
    quay.send("order/o1", AcceptReturn())
    quay.settle()
    quay.answer(Refund, GaveBack("re-1"))
    return quay


def test_a_whole_life_on_a_store(redis: Redis) -> None:
    """S4 S94 S97: from the order to the return; the checker reads what is stored."""
    quay = delivered_and_returned(redis)

    assert [] == quay.findings()
    order = quay.record("order/o1")
    assert ("ReturnRequested", "22.50") == (order.status, str(order.state.refunded))
    assert quay.folded("order/o1") == order.state


def test_an_order_that_fails_on_a_store(redis: Redis) -> None:
    """S90 S91 S92 S93: compensated, and nothing kept."""
    quay = Quay(redis)
    quay.send("order/o1", CREATE)
    quay.settle()
    assert [] == quay.findings(quiet=False)
    quay.answer(Capture, Rejected("card-declined"))

    assert [] == quay.findings()
    assert "PaymentFailed" == quay.record("order/o1").status


def test_events_are_stored_with_exact_amounts_and_one_correlation_id(redis: Redis) -> None:
    """S99 S102 S125: as redis-cli shows them."""
    quay = delivered_and_returned(redis)

    created = quay.events("order/o1")[0]
    assert b"OrderCreated" == created[b"type"]
    assert b'"total_amount":"22.50"' in created[b"data"]
    flow = quay.events("order/o1")[:7] + quay.events("payment/o1")[:3]
    assert 1 == len({fields.get(b"corr", fields[b"id"]) for fields in flow})


def test_the_checker_sees_what_somebody_has_changed_in_the_store(redis: Redis) -> None:
    """S138: a log that lacks an event does not add up."""
    quay = delivered_and_returned(redis)
    own = quay.store.keys.partition(quay.registry.partition_of("account/acc"))
    redis.xdel(own.log("account", "acc"), "3-0")

    found = quay.findings()

    assert any("account/acc: its versions are [1, 2, 4]" in said for said in found)


@pytest.mark.parametrize("old", ["", *STATES])
def test_redis_refuses_what_is_not_in_the_table(redis: Redis, old: str) -> None:
    """S12 S38: whatever a client sends, for each of the eleven states, and before the first."""
    library.load(redis, forge.NAMESPACE, REGISTRY)
    kind = OrderKind.name
    hash_ = forge.key(f"{kind}:o1")
    for new in STATES:
        redis.delete(hash_, forge.key(f"{kind}:o1:log"))
        if old:
            redis.hset(hash_, mapping={"version": 0, "status": old, "state": "{}"})
        forged = forge.Forged("o1", kind, 0, statuses=(new,), old=old)

        answer = forge.Commit(entities=[forged]).call(redis)

        allowed = new in LIFECYCLE.get(old, ())
        assert (b"OK" if allowed else b"TRANSITION") == answer[0], (new, answer)
