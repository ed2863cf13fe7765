"""The load of a shop under which everything goes wrong: customers, a lorry, and whoever kills.

One of five things goes wrong at every step: products that are not there, accounts without money,
gateway and carrier that refuse, fail, answer never or into the void; customers who cancel or send
back, people who change by hand what they should not, and processes that are killed all the time.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from redis.exceptions import RedisError

from tests.support.shop_site import ADDRESS, Process, ShopSite, kill_fork
from wherry.errors import Unreachable

PRODUCTS = {f"p{n}": 10_000 for n in range(10)} | {"scarce": 20}
RICH = {f"rich{n}": "100000.00" for n in range(20)}
POOR = {f"poor{n}": "20.00" for n in range(5)}
CUSTOMERS = 25
BY_HAND = ("Cancelled", "PaymentFailed", "OutOfStock", "ShipmentFailed")
#: Where many processes share few cores, more orders a second would only wait.
A_SECOND = 10.0
#: What gateway and carrier do with calls.
RATES = {"decline": 0.05, "error": 0.08, "lost": 0.03, "timeout": 0.02, "hang": 0.02}
DEAF = {"error": 0.1, "lost": 0.05, "timeout": 0.03, "hang": 0.02}

#: Time-outs and retries are short, so that a run is: what is lost is missed soon.
SETTINGS = {
    "ORDERS_RECEIVE_TIMEOUT": "2", "ORDERS_CALL_TIMEOUT": "1", "ORDERS_RETRY_WITHIN": "5",
    "ORDERS_BREAKER_RESET": "0.5",
}  # fmt: skip

Words = tuple[str, str, dict[str, Any], str]


def furnish(site: ShopSite) -> None:
    """Stock, money, and systems outside that cannot be relied on."""
    site.furnish(PRODUCTS, RICH | POOR | {"closed": "1.00"})
    site.do("account/closed", "CloseAccount", {})
    for name in ("gateway", "carrier"):
        misbehave(site, name)
    site.outside.script("webhook", rates=DEAF, seed=3)


def misbehave(site: ShopSite, name: str) -> None:
    """Let one of the systems outside do what cannot be relied on."""
    site.outside.script(name, rates=RATES, seed=random.randrange(1000), latency_ms=100)


@dataclass
class Load:
    """Threads that go on through outages: what may not have arrived is sent again."""

    site: ShopSite
    orders: int
    placed: int = 0
    kills: int = 0
    restarts: int = 0
    outages: int = 0
    _accepted: set[str] = field(default_factory=set)
    _over: threading.Event = field(default_factory=threading.Event)
    _errors: list[BaseException] = field(default_factory=list)

    def run(self, workers: list[Process], runners: list[Process]) -> None:
        """Place all orders while processes die; deliver until nothing is left to deliver."""
        self._processes = [*workers, *runners]
        customers = threading.Thread(target=self._guarded, args=(self._customers,))
        beside = [
            threading.Thread(target=self._guarded, args=(self._repeat, work))
            for work in (self._lorry, self._killer, self._outage)
        ]
        for thread in (customers, *beside):
            thread.start()
        customers.join()
        self._over.set()
        for thread in beside:
            thread.join()
        if self._errors:
            raise self._errors[0]
        self._finish()

    def _guarded(self, work: Callable[..., None], *args: Any) -> None:
        try:
            work(*args)
        except BaseException as error:  # noqa: BLE001 - it is raised when all have ended
            self._errors.append(error)
            self._over.set()

    def _repeat(self, work: Callable[[random.Random], None]) -> None:
        draw = random.Random(work.__name__)
        while not self._over.is_set():
            work(draw)

    def _finish(self) -> None:
        """Deliver what has got its label only now, until nothing is left."""
        while True:
            self.site.quiet(600)
            if not self._lorry(random.Random(1)):
                return

    def send(self, entity: str, name: str, body: dict[str, Any], id_: str) -> None:
        """Send a command; a lost answer means: unknown, so the same is sent again, and is once."""
        while True:
            try:
                self.site.send(entity, name, body, id_)
            except (Unreachable, RedisError):
                time.sleep(0.1)
            else:
                return

    # -- who does what ---------------------------------------------------------------------------

    def _customers(self) -> None:
        """Orders one after the other, and soon after some of them what people do to orders."""
        draw = random.Random(11)
        later: list[tuple[float, Words]] = []
        for number in range(self.orders):
            if self._over.is_set():
                return
            key, wish = f"o{number}", _wish(draw)
            # Of some orders each message comes twice.
            prefix = "twice-0" if draw.random() < 0.1 else "create"
            self.send(f"order/{key}", "CreateOrder", wish, f"{prefix}-{key}")
            self.placed += 1
            now = time.monotonic()
            thoughts = _second_thoughts(draw, key, wish)
            later += [(now + draw.uniform(0, 1.5), words) for words in thoughts]
            time.sleep(1 / A_SECOND)
            later = self._send_due(later, time.monotonic())
        self._send_due(later, float("inf"))

    def _send_due(self, later: list[tuple[float, Words]], now: float) -> list[tuple[float, Words]]:
        for _, words in (pair for pair in later if pair[0] <= now):
            self.send(*words)
        return [pair for pair in later if pair[0] > now]

    def _lorry(self, draw: random.Random) -> int:
        """Move every parcel one step; how many there were."""
        moved = 0
        for key in self._in("shipment", "Created"):
            status = "Failed" if draw.random() < 0.05 else "Shipped"
            moved += self._move(key, status)
        for key in self._in("order", "Shipped"):
            if draw.random() < 0.1:
                body = {"reason": "too small"}
                self.send(f"order/{key}", "RequestReturn", body, f"return-{key}")
                moved += 1
            else:
                moved += self._move(key, "Delivered")
        for key in self._in("order", "ReturnRequested"):
            if key not in self._accepted:
                self._accepted.add(key)
                self.send(f"order/{key}", "AcceptReturn", {}, f"accept-{key}")
                moved += 1
        time.sleep(0.2)
        return moved

    def _move(self, key: str, status: str) -> int:
        body = {"status": status, "location": "somewhere"}
        self.send(f"shipment/{key}", "UpdateShipmentStatus", body, f"{status}-{key}")
        return 1

    def _in(self, kind: str, status: str) -> list[str]:
        """The keys of a kind in a status."""
        keys = self.site.runtime.store.keys
        names = [keys.partition(n).index(kind, status) for n in range(self.site.partitions)]
        while True:
            try:
                found = [self.site.runtime.redis.zrange(name, 0, -1) for name in names]
            except (Unreachable, RedisError):
                time.sleep(0.1)
            else:
                return [key.decode() for part in found for key in cast("list[bytes]", part)]

    def _killer(self, draw: random.Random) -> None:
        """kill -9 somebody; the server, too, now and then."""
        time.sleep(draw.uniform(0.2, 0.8))
        self.kills += kill_fork(draw.choice(self._processes))
        if self.kills // 25 > self.restarts:
            self.site.server.kill()
            self.site.server.start()
            self.restarts += 1

    def _outage(self, draw: random.Random) -> None:
        """Gateway or carrier are gone for so long that some calls are given up."""
        self._over.wait(draw.uniform(4, 12))
        name = draw.choice(["gateway", "carrier"])
        self.site.outside.script(name, down=True)
        self._over.wait(draw.uniform(1, 6))
        misbehave(self.site, name)
        self.outages += 1

    # -- what came of it -------------------------------------------------------------------------

    def ends(self) -> Counter[str]:
        """How many orders ended where."""
        return Counter(order.status for _, _, order in self.site.read().of("order"))


def _second_thoughts(draw: random.Random, key: str, wish: dict[str, Any]) -> Iterator[Words]:
    """What people do to an order, at moments that they cannot choose well."""
    if draw.random() < 0.12:
        yield f"order/{key}", "CancelOrder", {"reason": "changed my mind"}, f"cancel-{key}"
    if draw.random() < 0.1:
        product = wish["items"][0]["product_id"]
        yield f"product/{product}", "ReleaseReservation", {"order_id": key}, f"release-{key}"
    if draw.random() < 0.1:
        yield f"order/{key}", "UpdateOrderStatus", {"status": draw.choice(BY_HAND)}, f"hand-{key}"
    if draw.random() < 0.1:
        body = {"amount": "1.50", "reference": "sorry"}
        yield f"payment/{key}", "RefundPayment", body, f"refund-{key}"


def _wish(draw: random.Random) -> dict[str, Any]:
    """What one customer orders."""
    names = draw.sample([f"p{n}" for n in range(10)], draw.choice([1, 1, 2, 3]))
    if draw.random() < 0.05:
        names.append("scarce")
    if draw.random() < 0.02:
        names.append("nothing")
    account = draw.choice([*RICH, *RICH, *POOR, "closed"])
    return {
        "customer_id": f"c{draw.randrange(CUSTOMERS)}", "account_id": account,
        "items": [{"product_id": name, "quantity": draw.randint(1, 3)} for name in names],
        "shipping_address": ADDRESS, "payment_method": "card",
    }  # fmt: skip
