"""A shop on real processes: workers, runners, and simulators of what is outside on real sockets.

with ShopSite(tmp_path) as shop:
    shop.staff()
    shop.furnish()
    shop.order("o1", ("p1", 2))
    shop.quiet()
    assert shop.wrong() == []
"""

import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import psutil

from orders import app as orders_app
from orders.account import Account
from orders.customer import Customer
from orders.order import Order
from orders.payment import Payment
from orders.product import Product
from orders.shipment import Shipment
from tests.support import ledger
from tests.support.books import stored_logs
from tests.support.invariants import Ack, Namespace, wrong
from tests.support.outside import Outside
from tests.support.site import PATIENCE_S, ROOT, Site
from wherry.codec import to_json
from wherry.engine.envelope import Envelope, Result
from wherry.gateway.requests import Request
from wherry.store.effect_store import EffectStore
from wherry.wiring import Bundles

S = TypeVar("S")

ADDRESS = {"name": "Ann", "street": "Quay 1", "city": "Rotterdam", "country": "NL"}
PRICES = {"p1": "10.00", "p2": "2.50"}
SIMULATED = ("gateway", "carrier", "webhook")
#: Short times, so that what is killed or lost is soon taken up by others.
QUICK = {"lease": 0.6, "beat": 0.2}
QUICK_RUNNER: dict[str, Any] = {"lease": 1.0, "renew": 0.25, "beat": 0.2}

Process = subprocess.Popen[bytes]
Items = tuple[str, int]


def bundles() -> Bundles:
    """The order bundle alone."""
    return Bundles(orders_app, ("orders",), "test")


@dataclass
class ShopSite(Site):
    """A running shop. `settings` are more of the bundle's, for the processes."""

    bundles: Callable[[], Bundles] = bundles
    processes: str = "tests.support.shop_process"
    settings: Mapping[str, str] = field(default_factory=dict)
    outside: Outside = field(init=False)

    def __enter__(self) -> "ShopSite":
        with ExitStack() as stack:
            super().__enter__()
            stack.callback(super().__exit__)
            self.outside = self._simulate()
            self.faults.mkdir()
            stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self.outside.client.close()
        super().__exit__(*exc)

    # -- processes -------------------------------------------------------------------------------

    @property
    def faults(self) -> Path:
        """Where it is written down which faults have happened."""
        return self.folder / "faults"

    def start(self, role: str, env: Mapping[str, str] | None = None, **options: Any) -> Process:
        """Start a process that knows where the systems outside are."""
        where = {f"ORDERS_{name.upper()}_URL": f"{self.outside.url}/{name}" for name in SIMULATED}
        faults = {"SHOP_FAULTS": str(self.faults)}
        return super().start(role, {**where, **faults, **self.settings, **(env or {})}, **options)

    def staff(self, workers: int = 1, runners: int = 1) -> tuple[list[Process], list[Process]]:
        """Start workers and runners, and a scheduler beneath them."""
        self.start("scheduler")
        pumps = [self.worker(**QUICK) for _ in range(workers)]
        return pumps, [self.runner(**QUICK_RUNNER) for _ in range(runners)]

    def _simulate(self) -> Outside:
        """Start the systems outside, as `wherry up` does."""
        with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
            fd, port = listener.fileno(), listener.getsockname()[1]
            functions = str(ROOT / "functions")
            words = ("wherry.supervisor.stand_in", functions, "orders.simulators:app", str(fd))
            self.run(*words, keep=[fd])
        return Outside(f"http://127.0.0.1:{port}", httpx.Client(timeout=PATIENCE_S))

    # -- clients ---------------------------------------------------------------------------------

    def furnish(
        self, products: Mapping[str, int] | None = None, accounts: Mapping[str, str] | None = None
    ) -> None:
        """Register products with their stock, and open accounts with money."""
        for name, stock in (products or {"p1": 100, "p2": 100}).items():
            body = {"name": name, "price": PRICES.get(name, "3.33"), "currency": "EUR"}
            self.send(f"product/{name}", "RegisterProduct", body)
            self.send(f"product/{name}", "UpdateStock", {"quantity": stock})
        for name, money in (accounts or {"acc": "1000.00"}).items():
            self.send(f"account/{name}", "OpenAccount", {"owner": name, "currency": "EUR"})
            self.send(f"account/{name}", "CreditAccount", {"amount": money, "reason": "first"})
        self.rest()

    def order(
        self, key: str, *items: Items, account: str = "acc", customer: str = "ann", id_: str = ""
    ) -> Request:
        """Send an order: of two p1, unless told otherwise."""
        return self.send(f"order/{key}", "CreateOrder", order_of(items, account, customer), id_)

    def resend(self, envelopes: Iterable[Envelope], suffix: str) -> None:
        """Put messages into the inboxes once more, with other ids."""
        pipe = self.runtime.redis.pipeline(transaction=False)
        for envelope in envelopes:
            copy = msgspec.structs.replace(envelope, id=f"{envelope.id}{suffix}", reply="")
            own = self.runtime.store.keys.partition(self._home(envelope.to))
            pipe.xadd(own.inbox, {"message": to_json(copy)})
        pipe.execute()
        self.sender.wake()

    def _home(self, address: str) -> int:
        return self.runtime.registry.partition_of(address)

    # -- looking ---------------------------------------------------------------------------------

    def quiet(self, within_s: float = PATIENCE_S) -> None:
        """Wait until nothing is under way: no message, no call, no order that waits."""
        self._wait(self.under_way, within_s)

    def quiet_but_for_clients(self, within_s: float = PATIENCE_S) -> None:
        """The same; but a command may not have been answered all the same."""
        self._wait(self._moving, within_s)

    def _wait(self, look: Callable[[], str], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while said := look():
            assert time.monotonic() < deadline, f"in {within_s:.0f} s it never came to rest: {said}"
            time.sleep(0.05)

    def forget(self, ack: Ack) -> None:
        """Its answer was lost on purpose."""
        self.acks.remove(ack)
        self._looked_at -= 1
        self._open.remove(ack)

    def under_way(self) -> str:
        """What is under way; empty when nothing is."""
        return self._moving() or ", ".join(f"no answer to {ack}" for ack in self.open()[:5])

    def _moving(self) -> str:
        # A message may become a call, and that a message again: so they are looked at twice.
        for _ in range(2):
            found = {
                "messages": self.backlog(), "calls": self.calls()[:5],
                "waiting": self.waiting()[:5],
            }  # fmt: skip
            if any(found.values()):
                return str(found)
        return ""

    def calls(self) -> list[str]:
        """The calls to the outside world that are not settled."""
        store = EffectStore(self.runtime.store)
        numbers = range(self.partitions)
        found = (call for n in numbers for call in [*store.due(n), *store.parked(n)])
        return [f"{call.envelope.decode()} {call.note.decode()}" for call in found]

    def waiting(self) -> list[str]:
        """The orders and payments that wait for something: each has set itself a time-out."""
        pipe = self.runtime.redis.pipeline(transaction=False)
        for number in range(self.partitions):
            pipe.zrange(self.runtime.store.keys.partition(number).timers, 0, -1)
        names = [name.decode() for found in pipe.execute() for name in found]
        return [name for name in names if name.endswith(":receive-timeout")]

    def result(self, request: Request) -> Result:
        """What became of a command that was sent."""
        (found,) = self.results([Ack(request.entity, request.command_id)])
        assert found is not None
        return found

    def state(self, of: str, type_: type[S]) -> S:
        """An entity as its log tells it."""
        state = self.read().states[of]
        assert isinstance(state, type_)
        return state

    def order_of(self, key: str = "o1") -> Order:
        return self.state(f"order/{key}", Order)

    def payment_of(self, key: str = "o1") -> Payment:
        return self.state(f"payment/{key}", Payment)

    def shipment_of(self, key: str = "o1") -> Shipment:
        return self.state(f"shipment/{key}", Shipment)

    def balance(self, key: str = "acc") -> Decimal:
        return self.state(f"account/{key}", Account).balance

    def stock(self, key: str = "p1") -> tuple[int, int, int]:
        """On hand, reserved, sold."""
        product = self.state(f"product/{key}", Product)
        return product.on_hand, product.reserved, product.sold

    def notices(self, key: str = "ann") -> list[tuple[str, str, str]]:
        """What a customer was told: order, notice, reason."""
        told = self.state(f"customer/{key}", Customer).notices
        return [(notice.order_id, notice.notice, notice.reason) for notice in told]

    def types(self, of: str) -> list[str]:
        """The names of an entity's events."""
        return [fields[b"type"].decode() for _, fields in self.read().entities[of].log]

    def captured(self) -> dict[str, Decimal]:
        """What the gateway has, by order: captures minus refunds."""
        captures = self.outside.ledger("gateway")["captures"]
        taken = (c for c in captures if c["status"] == "captured")
        return {c["order_id"]: Decimal(c["amount"]) - Decimal(c["refunded"]) for c in taken}

    def booked(self) -> list[str]:
        """The orders whose parcels the carrier will fetch."""
        shipments = self.outside.ledger("carrier")["shipments"]
        return [s["order_id"] for s in shipments if s["status"] == "booked"]

    def wrong(self) -> list[str]:
        """Everything that does not add up, now that all is quiet: in the store, and outside."""
        space = self.read()
        books = ledger.wrong(
            stored_logs(space), quiet=True,
            gateway=self.outside.ledger("gateway"), carrier=self.outside.ledger("carrier"),
        )  # fmt: skip
        return [*wrong(space, self.acks), *books, *self._unsettled(space)]

    def _unsettled(self, space: Namespace) -> Iterator[str]:
        """Orders that still wait for something, and entities that somebody has to look at."""
        for key, _, order in space.of("order"):
            if order.open:
                yield f"order/{key}: is {order.status}, and waits for {', '.join(order.open)}"
        for number in range(self.partitions):
            for address, said in self.runtime.store.attention(number).items():
                yield f"{address}: needs attention: {said.decode()}"


def order_of(items: Iterable[Items], account: str = "acc", customer: str = "ann") -> dict[str, Any]:
    """The fields of CreateOrder."""
    wanted = [{"product_id": name, "quantity": n} for name, n in items or (("p1", 2),)]
    return {
        "customer_id": customer, "account_id": account, "items": wanted,
        "shipping_address": ADDRESS, "payment_method": "card",
    }  # fmt: skip


def kill_fork(process: Process) -> bool:
    """kill -9 the fork of a worker, which comes back; whether there was one."""
    forks = psutil.Process(process.pid).children()
    for fork in forks:
        with suppress(psutil.NoSuchProcess):
            fork.kill()
    return bool(forks)


def in_kinds(envelopes: Iterable[Envelope]) -> list[str]:
    """Who sends what to whom, by kinds."""
    return [f"{e.sender.partition('/')[0]} > {e.to.partition('/')[0]} {e.type}" for e in envelopes]
