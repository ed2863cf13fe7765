"""A shop to test in: two products, an account with money, and the systems outside as books.

The books are those of the simulators, without the sockets: `shop.outside` says what becomes of
the next calls - `decline`, `failed` (not done), `unknown` (done), `hang` (unknown, and not done).
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

import orders
from orders.account import Account
from orders.customer import Customer
from orders.messages.account import CreditAccount, OpenAccount
from orders.messages.order import CreateOrder, OrderPlaced
from orders.messages.outside import (
    Booked,
    BookShipment,
    CancelBooking,
    Capture,
    Captured,
    GaveBack,
    PostNotice,
    Refund,
    Unbooked,
    VoidCapture,
    Voided,
)
from orders.messages.product import RegisterProduct, UpdateStock
from orders.messages.values import Address, OrderItem
from orders.order import Order
from orders.payment import Payment
from orders.product import Product
from orders.shipment import Shipment
from orders.simulators.carrier import Carrier
from orders.simulators.gateway import Gateway
from orders.simulators.stage import Answer, Seen, Work, once
from orders.simulators.stage import Call as Posted
from tests.support.books import logs_of
from tests.support.ledger import Ledger, wrong
from wherry import Attempt, Command, Rejected
from wherry.testing import Call, Failed, Sent, Unknown, World

S = TypeVar("S")

ADDRESS = Address("Ann", "Quay 1", "Rotterdam", "NL")
TIMEOUT = timedelta(seconds=30)

#: Ten p1 for 10.00, ten p2 for 2.50, and 100.00 EUR in the account.
OPENING: list[tuple[str, Command[Any, Any]]] = [
    ("product/p1", RegisterProduct("The p1", Decimal("10.00"), "EUR")),
    ("product/p1", UpdateStock(10)),
    ("product/p2", RegisterProduct("The p2", Decimal("2.50"), "EUR")),
    ("product/p2", UpdateStock(10)),
    ("account/acc", OpenAccount("Ann", "EUR")),
    ("account/acc", CreditAccount(Decimal("100.00"), "first money")),
]


@dataclass
class Outside:
    """Gateway and carrier. `fates` has what becomes of the next calls, by command."""

    gateway: Gateway = field(default_factory=Gateway)
    carrier: Carrier = field(default_factory=Carrier)
    notices: dict[str, PostNotice] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    fates: dict[type, deque[str]] = field(default_factory=lambda: defaultdict(deque))
    _seen: dict[tuple[type, str], Seen] = field(default_factory=dict)

    def next(self, command: type, *fates: str) -> None:
        """Say what becomes of the next calls of a command."""
        self.fates[command].extend(fates)

    def ledgers(self) -> dict[str, Ledger]:
        """What the simulators would show."""
        captures = [vars(c) for c in self.gateway.captures.values()]
        return {
            "gateway": {"captures": captures},
            "carrier": {"shipments": list(self.carrier.shipments.values())},
        }

    def functions(self) -> dict[type[Command[Any, Any]], Any]:
        """What World calls."""
        return {
            Capture: self._capture, VoidCapture: self._void, Refund: self._refund,
            BookShipment: self._book, CancelBooking: self._unbook, PostNotice: self._post,
        }  # fmt: skip

    def answer(self, call: Call) -> Any:
        """What becomes of a call that waits."""
        try:
            return self.functions()[type(call.command)](call.command, Attempt(call.key, 1, 0.0))
        except Rejected as no:
            return no

    def _capture(self, call: Capture, attempt: Attempt) -> Any:
        done = self._play(call, attempt, self.gateway.capture, msgspec.to_builtins(call))
        return Captured(done["transaction_id"]) if isinstance(done, dict) else done

    def _void(self, call: VoidCapture, attempt: Attempt) -> Any:
        done = self._play(call, attempt, self.gateway.void, {"capture": call.capture_key})
        return Voided(done["found"]) if isinstance(done, dict) else done

    def _refund(self, call: Refund, attempt: Attempt) -> Any:
        done = self._play(call, attempt, self.gateway.refund, msgspec.to_builtins(call))
        return GaveBack(done["refund_id"]) if isinstance(done, dict) else done

    def _book(self, call: BookShipment, attempt: Attempt) -> Any:
        done = self._play(call, attempt, self.carrier.book, msgspec.to_builtins(call))
        return Booked(done["tracking_number"]) if isinstance(done, dict) else done

    def _unbook(self, call: CancelBooking, attempt: Attempt) -> Any:
        done = self._play(call, attempt, self.carrier.cancel, {"shipment": call.booking_key})
        return Unbooked(done["found"]) if isinstance(done, dict) else done

    def _post(self, call: PostNotice, attempt: Attempt) -> None:
        self.notices[attempt.key] = call

    def _play(self, call: Any, attempt: Attempt, work: Work, body: dict[str, Any]) -> Any:
        fates = self.fates[type(call)]
        fate = fates.popleft() if fates else "ok"
        self.asked.append((type(call).__name__, attempt.key))
        if fate == "failed":
            return Failed("gave-up")
        if fate == "hang":
            return Unknown()
        status, answer = self._once(call, attempt.key, work, body, fate)
        if fate == "unknown":
            return Unknown()
        if status >= 400:
            raise Rejected(answer["code"])
        return answer

    def _once(self, call: Any, key: str, work: Work, body: dict[str, Any], fate: str) -> Answer:
        ledger = {k: seen for (of, k), seen in self._seen.items() if of is type(call)}
        answer = once(ledger, Posted(key, body, fate == "decline"), work)
        self._seen |= {(type(call), k): seen for k, seen in ledger.items()}
        return answer


@dataclass
class Shop:
    """A world with a shop in it."""

    world: World
    outside: Outside

    def order(
        self,
        key: str = "o1",
        *items: tuple[str, int],
        customer: str = "ann",
        account: str = "acc",
        run: bool = True,
        id: str = "",
    ) -> Sent[OrderPlaced]:
        """Create an order: of two p1, unless told otherwise."""
        wanted = tuple(OrderItem(name, quantity) for name, quantity in items or (("p1", 2),))
        command = CreateOrder(customer, account, wanted, ADDRESS, "card")
        return self.world.send(f"order/{key}", command, run=run, id=id)

    def settle(self, command: type[Command[Any, Any]], outcome: Any, *, run: bool = True) -> None:
        """Say what became of the oldest call of a command that waits."""
        self.world.settle(self.world.calls(command)[0], outcome, run=run)

    def finish(self) -> None:
        """Let everything happen that was held back, and every call be answered."""
        self.world.release()
        self.world.run()
        while calls := self.world.calls():
            self.world.settle(calls[0], self.outside.answer(calls[0]))

    def wait(self, times: int = 1) -> None:
        """Let the receive time-out come so often."""
        for _ in range(times):
            self.world.advance(TIMEOUT)

    def order_of(self, key: str = "o1") -> Order:
        return self._state(f"order/{key}", Order)

    def payment_of(self, key: str = "o1") -> Payment:
        return self._state(f"payment/{key}", Payment)

    def shipment_of(self, key: str = "o1") -> Shipment:
        return self._state(f"shipment/{key}", Shipment)

    def product_of(self, key: str = "p1") -> Product:
        return self._state(f"product/{key}", Product)

    def account_of(self, key: str = "acc") -> Account:
        return self._state(f"account/{key}", Account)

    def notices(self, key: str = "ann") -> list[tuple[str, str]]:
        """What a customer was told: the notices, and their reasons."""
        told = self._state(f"customer/{key}", Customer).notices
        return [(notice.notice, notice.reason) for notice in told]

    def stock(self, key: str = "p1") -> tuple[int, int, int]:
        """On hand, reserved, sold."""
        product = self.product_of(key)
        return product.on_hand, product.reserved, product.sold

    def types(self, of: str) -> list[str]:
        """The names of an entity's events."""
        return [type(event).__name__ for event in self.world.events(of)]

    def captured(self) -> str:
        """What the gateway has, after refunds."""
        has = (c.amount - c.refunded for c in self.outside.gateway.captures.values()
               if c.status == "captured")  # fmt: skip
        return str(sum(has, Decimal(0)))

    def _state(self, of: str, type_: type[S]) -> S:
        state = self.world.state(of)
        assert isinstance(state, type_)
        return state


def until(world: World, condition: Callable[[], bool]) -> None:
    """Take turns until something is so."""
    while not condition():
        assert world.step(), "everything came to rest before it was so"


def shop(
    *,
    waiting: Iterable[type[Command[Any, Any]]] = (),
    partitions: int = 16,
    seed: int | None = None,
    batch: int = 1,
) -> Shop:
    """A shop that has opened. Calls that are `waiting` are answered by the test."""
    outside = Outside()
    answered = {c: fn for c, fn in outside.functions().items() if c not in set(waiting)}
    world = World(orders.app, partitions=partitions, seed=seed, batch=batch, outside=answered)
    for address, command in OPENING:
        world.send(address, command)
    return Shop(world, outside)


def require_good(shop: Shop, *, quiet: bool = True) -> None:
    """Whatever has happened: everything adds up. `quiet`: and nothing is left to do."""
    shop.world.check()
    ledgers = shop.outside.ledgers()
    found = wrong(
        logs_of(shop.world), quiet=quiet, gateway=ledgers["gateway"], carrier=ledgers["carrier"]
    )
    assert found == []
    if quiet:
        assert [] == [a for a in shop.world.entities("order") if shop.world.state(a).open]
        assert [] == shop.world.calls()
