"""A storm: everything that can go wrong, at random and at once; and then all must add up.

Calls are declined, given up, lost or done without an answer; messages come twice; entities are
stopped and started; people cancel, return and refund; time passes, and reservations with it.
"""

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from orders.messages.order import AcceptReturn, CancelOrder, RequestReturn, UpdateOrderStatus
from orders.messages.outside import BookShipment, CancelBooking, Capture, Refund, VoidCapture
from orders.messages.payment import RefundPayment
from orders.messages.product import ReleaseReservation, UpdateStock
from orders.messages.shipment import UpdateShipmentStatus
from orders.order.lifecycle import STATES
from tests.support.shop import Shop, require_good, shop
from tests.support.traffic import Copies, copying
from wherry import Command
from wherry.engine.supervision import Attention

ORDERS = 6
ACTS = 60
#: Longer than all patience that an order has.
LONG = 14

#: What becomes of calls; those that give back are tried until they are done, or refused.
FATES: dict[type, list[str]] = {
    Capture: ["ok", "ok", "decline", "failed", "unknown", "hang"],
    BookShipment: ["ok", "ok", "decline", "failed", "unknown", "hang"],
    Refund: ["ok", "ok", "decline"],
    VoidCapture: ["ok"],
    CancelBooking: ["ok"],
}


class Storm:
    """One run of it."""

    def __init__(self, seed: int, copies: Copies) -> None:
        self.random = random.Random(seed)
        self.shop = shop(waiting=list(FATES), seed=seed, batch=self.random.randint(1, 5))
        self.copies = copies
        self.ordered = 0

    @property
    def key(self) -> str:
        """Some order."""
        return f"o{self.random.randint(1, ORDERS)}"

    def blow(self) -> None:
        """Do something."""
        acts = [
            self.order, self.order, self.turns, self.turns, self.turns, self.answer, self.answer,
            self.answer, self.people, self.parcel, self.time, self.stop, self.restart, self.copy,
        ]  # fmt: skip
        self.random.choice(acts)()

    def order(self) -> None:
        items = self.random.choice([[("p1", 1)], [("p1", 2), ("p2", 1)], [("p2", 4)]])
        if self.ordered < ORDERS:
            self.ordered += 1
            self.shop.order(f"o{self.ordered}", *items, run=False)

    def turns(self) -> None:
        for _ in range(self.random.randint(1, 8)):
            self.shop.world.step()

    def answer(self) -> None:
        if calls := self.shop.world.calls():
            call = self.random.choice(calls)
            self.shop.outside.next(
                type(call.command), self.random.choice(FATES[type(call.command)])
            )
            self.shop.world.settle(call, self.shop.outside.answer(call), run=False)

    def people(self) -> None:
        self.shop.world.tell(*self.wish(self.key))

    def wish(self, key: str) -> tuple[str, Command[Any, Any]]:
        """What somebody wants of an order, or of what belongs to it."""
        status = self.random.choice(STATES)
        wishes: list[tuple[str, Any]] = [
            (f"order/{key}", CancelOrder("storm")),
            (f"order/{key}", RequestReturn("storm")),
            (f"order/{key}", AcceptReturn()),
            (f"order/{key}", UpdateOrderStatus(status)),
            (f"payment/{key}", RefundPayment(Decimal("1.00"))),
            (f"product/{self.random.choice(['p1', 'p2'])}", ReleaseReservation(key)),
            ("product/p1", UpdateStock(self.random.randint(0, 6))),
        ]
        return self.random.choice(wishes)

    def parcel(self) -> None:
        status = self.random.choice(["Shipped", "InTransit", "Delivered", "Failed", "Returned"])
        self.shop.world.tell(f"shipment/{self.key}", UpdateShipmentStatus(status))  # type: ignore[arg-type]

    def time(self) -> None:
        self.shop.world.advance(timedelta(seconds=self.random.choice([1, 31, 200, 2000])))

    def stop(self) -> None:
        address = self.random.choice(
            [f"order/{self.key}", f"payment/{self.key}", "product/p1", "account/acc"]
        )
        stopped = Attention(stopped_at=self.shop.world.clock.ms, directive="stop")
        self.shop.world.attention[address] = stopped

    def restart(self) -> None:
        for address in list(self.shop.world.attention):
            self.shop.world.restart(address)
        self.retry()

    def retry(self) -> None:
        """Send dead letters again, as an operator would."""
        letters, self.shop.world.dead = self.shop.world.dead, []
        for letter in letters:
            partition = self.shop.world.registry.partition_of(letter["entity"])
            self.shop.world._deliver(partition, letter["message"].encode())

    def copy(self) -> None:
        if self.copies.kept:
            self.copies.send(self.shop.world, self.random.randrange(len(self.copies.kept)))

    def calm(self) -> None:
        """Everybody is there again, every call is answered, and time passes."""
        self.copies.wanted = lambda _: False
        for _ in range(3):
            self.restart()
            self.shop.finish()
            self.shop.wait(LONG)
        self.shop.finish()


def ride_out(seed: int) -> Shop:
    chance = random.Random(seed)
    rate = chance.choice([0, 0.1, 0.5])
    with copying(lambda _: chance.random() < rate, late=chance.random() < 0.5) as copies:
        storm = Storm(seed, copies)
        for _ in range(ACTS):
            storm.blow()
        storm.calm()
    return storm.shop


@pytest.mark.parametrize(
    "seed", [*range(10), *(pytest.param(n, marks=pytest.mark.slow) for n in range(10, 60))]
)
def test_after_the_storm_all_adds_up(seed: int) -> None:
    """S1 S105 S106 S134 S135 S137: no cent and no item is lost, and every order has ended."""
    found = ride_out(seed)

    require_good(found)
    for address in found.world.entities("order"):
        state: Any = found.world.state(address)
        assert state.status not in {"Pending", "PaymentProcessing", "PaymentConfirmed"}, address
