"""Books of the order system, written from its logs alone: accounts, stock, statuses.

They know the events, and nothing else of the bundle: what they reckon, they reckon again. What
cannot be - a version that is missing, a balance below zero - is found while they are written.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from orders.messages import account as acc
from orders.messages import order as o
from orders.messages import payment as pay
from orders.messages import product as pro
from orders.messages import shipment as ship
from tests.support.invariants import Namespace
from wherry import Event
from wherry.testing import World

Chains = Mapping[str, frozenset[str]]

ORDER: Chains = {
    "": frozenset({"Pending"}),
    "Pending": frozenset({"PaymentProcessing", "Cancelled"}),
    "PaymentProcessing": frozenset({"PaymentConfirmed", "PaymentFailed", "Cancelled"}),
    "PaymentConfirmed": frozenset({"Preparing", "OutOfStock", "Cancelled"}),
    "Preparing": frozenset({"Shipped", "ShipmentFailed", "Cancelled"}),
    "Shipped": frozenset({"Delivered", "ReturnRequested"}),
}
PAYMENT: Chains = {
    "": frozenset({"Processing"}),
    "Processing": frozenset({"Succeeded", "Failed"}),
    "Succeeded": frozenset({"PartiallyRefunded", "Refunded"}),
    "PartiallyRefunded": frozenset({"PartiallyRefunded", "Refunded"}),
}
SHIPMENT: Chains = {
    "": frozenset({"Requested", "Cancelled"}),
    "Requested": frozenset({"Created", "Failed", "Cancelled"}),
    "Created": frozenset({"Shipped", "Failed", "Cancelled"}),
    "Shipped": frozenset({"InTransit", "OutForDelivery", "Delivered", "Returned"}),
    "InTransit": frozenset({"OutForDelivery", "Delivered", "Returned"}),
    "OutForDelivery": frozenset({"InTransit", "Delivered", "Returned"}),
    "Delivered": frozenset({"Returned"}),
}
NOTHING = {"Cancelled", "PaymentFailed", "OutOfStock", "ShipmentFailed"}
ZERO = Decimal(0)


@dataclass(frozen=True)
class Log:
    """The events of one entity, with their versions."""

    address: str
    events: tuple[tuple[int, Event], ...]

    @property
    def kind(self) -> str:
        return self.address.partition("/")[0]

    @property
    def key(self) -> str:
        return self.address.partition("/")[2]


def logs_of(world: World) -> list[Log]:
    """The logs of a world in memory."""
    return [
        Log(address, tuple((logged.version, logged.event) for logged in world.log(address)))
        for address in world.entities()
    ]


def stored_logs(space: Namespace) -> list[Log]:
    """The logs of a namespace in a store, as `invariants.read` has read it."""
    return [_stored_log(space, address) for address in space.entities]


def _stored_log(space: Namespace, address: str) -> Log:
    stored = space.entities[address]
    known = space.registry.kind(stored.kind).events
    events = (
        (int(id_.partition(b"-")[0]), known[f[b"type"].decode()].codec.decode(f[b"data"]))
        for id_, f in stored.log
    )
    return Log(address, tuple(events))


# -- the books -----------------------------------------------------------------------------------


@dataclass
class AccountBook:
    """What happened to one account, reckoned again."""

    balance: Decimal = ZERO
    credits: Decimal = ZERO
    debits: dict[str, Decimal] = field(default_factory=dict)
    returns: dict[str, Decimal] = field(default_factory=dict)


@dataclass
class ProductBook:
    """The same of one product; what is held and sold by order."""

    on_hand: int = 0
    stocked: int = 0
    held: dict[str, int] = field(default_factory=dict)
    sold: dict[str, int] = field(default_factory=dict)
    back: set[str] = field(default_factory=set)


@dataclass
class PaymentBook:
    status: str = ""
    order_id: str = ""
    amount: Decimal = ZERO
    debited: Decimal = ZERO
    refunded: Decimal = ZERO
    transaction_id: str = ""


@dataclass
class OrderBook:
    status: str = ""
    items: dict[str, int] = field(default_factory=dict)
    total: Decimal = ZERO
    tracking_number: str = ""
    returned: bool = False


@dataclass
class ShipmentBook:
    status: str = ""
    order_id: str = ""
    tracking_number: str = ""


@dataclass
class Books:
    """All of them, by key; and what was found while they were written."""

    accounts: dict[str, AccountBook] = field(default_factory=dict)
    products: dict[str, ProductBook] = field(default_factory=dict)
    payments: dict[str, PaymentBook] = field(default_factory=dict)
    orders: dict[str, OrderBook] = field(default_factory=dict)
    shipments: dict[str, ShipmentBook] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


def read(logs: Iterable[Log]) -> Books:
    """Write the books."""
    books = Books()
    for log in logs:
        versions = [version for version, _ in log.events]
        if versions != list(range(1, len(versions) + 1)):
            books.findings.append(f"{log.address}: its versions are {versions}")
        events = [event for _, event in log.events]
        books.findings += [f"{log.address}: {said}" for said in _write(books, log, events)]
    return books


def _write(books: Books, log: Log, events: list[Event]) -> Iterator[str]:
    match log.kind:
        case "account":
            yield from _account(books.accounts.setdefault(log.key, AccountBook()), events)
        case "product":
            yield from _product(books.products.setdefault(log.key, ProductBook()), events)
        case "payment":
            yield from _payment(books.payments.setdefault(log.key, PaymentBook()), events)
        case "order":
            yield from _order(books.orders.setdefault(log.key, OrderBook()), events)
        case "shipment":
            yield from _shipment(books.shipments.setdefault(log.key, ShipmentBook()), events)
        case _:
            pass


def _account(book: AccountBook, events: list[Event]) -> Iterator[str]:
    for event in events:
        match event:
            case acc.AccountCredited(amount=amount):
                book.credits += amount
                book.balance += amount
            case acc.AccountDebited(amount=amount, reference=reference):
                yield from _once(book.debits, reference, amount, "debited")
                book.balance -= amount
            case acc.FundsReturned(amount=amount, reference=reference):
                yield from _once(book.returns, reference, amount, "returned")
                book.balance += amount
            case _:
                continue
        if event.new_balance != book.balance:
            yield f"says {event.new_balance} is there, {book.balance} is"
        if book.balance < 0:
            yield f"has {book.balance}"


def _once(of: dict[str, Decimal], reference: str, amount: Decimal, what: str) -> Iterator[str]:
    if reference in of:
        yield f"{reference} was {what} twice"
    of[reference] = of.get(reference, ZERO) + amount


def _product(book: ProductBook, events: list[Event]) -> Iterator[str]:
    for event in events:
        yield from _stock(book, event)
        if book.on_hand < 0:
            yield f"has {book.on_hand} on hand"
    there = book.on_hand + sum(book.held.values()) + sum(book.sold.values())
    if there != book.stocked:
        yield f"{book.stocked} were stocked, {there} are on hand, held or sold"


def _stock(book: ProductBook, event: Event) -> Iterator[str]:
    match event:
        case pro.StockUpdated(quantity=n):
            book.stocked += n - book.on_hand
            book.on_hand = n
        case pro.ItemsReserved(order_id=id_, quantity=n):
            yield from _hold(book, id_, n)
        case pro.ReservationReleased() | pro.ReservationExpired():
            yield from _unhold(book, event.order_id, event.quantity)
            book.on_hand += event.quantity
        case pro.ItemsSold(order_id=id_, quantity=n):
            yield from _unhold(book, id_, n)
            book.sold[id_] = book.sold.get(id_, 0) + n
        case pro.ItemsRestocked(order_id=id_, quantity=n):
            yield from _restock(book, id_, n)
        case _:
            pass


def _hold(book: ProductBook, order_id: str, quantity: int) -> Iterator[str]:
    if order_id in book.held:
        yield f"is held for {order_id} twice"
    book.held[order_id] = book.held.get(order_id, 0) + quantity
    book.on_hand -= quantity


def _unhold(book: ProductBook, order_id: str, quantity: int) -> Iterator[str]:
    held = book.held.pop(order_id, 0)
    if held != quantity:
        yield f"gives up {quantity} that were held for {order_id}, {held} were"


def _restock(book: ProductBook, order_id: str, quantity: int) -> Iterator[str]:
    if order_id in book.back or book.sold.get(order_id) != quantity:
        yield f"{quantity} come back from {order_id}, which had {book.sold.get(order_id, 0)}"
    book.back.add(order_id)
    book.sold[order_id] = book.sold.get(order_id, 0) - quantity
    book.on_hand += quantity


def _payment(book: PaymentBook, events: list[Event]) -> Iterator[str]:
    for event in events:
        to = ""
        match event:
            case pay.PaymentRequested():
                to, book.order_id, book.amount = "Processing", event.order_id, event.amount
            case pay.FundsDebited():
                book.debited += event.amount
            case pay.PaymentSucceeded():
                to, book.transaction_id = "Succeeded", event.transaction_id
            case pay.PaymentFailed():
                to = "Failed"
            case pay.PaymentRefunded():
                book.refunded += event.amount
                to = "Refunded" if book.refunded == book.amount else "PartiallyRefunded"
                yield from _right_refund(book, event.refunded)
            case _:
                pass
        yield from _go(PAYMENT, book, to)
    if book.debited not in {ZERO, book.amount}:
        yield f"{book.debited} were debited for {book.amount}"


def _right_refund(book: PaymentBook, told: Decimal) -> Iterator[str]:
    if told != book.refunded or book.refunded > book.amount:
        yield f"{book.refunded} of {book.amount} are refunded, not {told}"


def _order(book: OrderBook, events: list[Event]) -> Iterator[str]:
    for event in events:
        match event:
            case o.OrderCreated():
                book.items = {line.product_id: line.quantity for line in event.items}
                book.total = event.total_amount
                if book.total != sum(line.unit_price * line.quantity for line in event.items):
                    yield f"its items do not cost {book.total}"
            case ship.ShipmentCreated():
                if book.tracking_number:
                    yield "has two labels"
                book.tracking_number = event.tracking_number
            case o.ReturnAccepted():
                book.returned = True
            case _:
                pass
        yield from _go(ORDER, book, _moves(book.status, event))


#: Where an event leads, whatever was before.
_LEADS: dict[type[Event], str] = {
    o.OrderCreated: "Pending", o.PaymentStarted: "PaymentProcessing",
    o.OrderPrepared: "Preparing", o.OrderShipped: "Shipped", o.OrderDelivered: "Delivered",
    o.OrderCancelled: "Cancelled", o.PaymentGivenUp: "PaymentFailed",
    o.OrderOutOfStock: "OutOfStock", o.ReturnRequested: "ReturnRequested",
}  # fmt: skip


def _moves(status: str, event: Event) -> str:
    """Where an event leads; empty when it only takes note."""
    match event:
        case o.PaymentProcessed(status=outcome) if status not in NOTHING:
            return "PaymentConfirmed" if outcome == "Succeeded" else "PaymentFailed"
        case ship.ShipmentFailed() if status == "Preparing":
            return "ShipmentFailed"
        case _:
            return _LEADS.get(type(event), "")


def _shipment(book: ShipmentBook, events: list[Event]) -> Iterator[str]:
    for event in events:
        to = ""
        match event:
            case ship.ShipmentRequested():
                to, book.order_id = "Requested", event.order_id
            case ship.ShipmentCreated():
                to, book.tracking_number = "Created", event.tracking_number
            case ship.ShipmentFailed():
                to = "Failed"
            case ship.ShipmentCancelled():
                to, book.order_id = "Cancelled", event.order_id
            case ship.ShipmentStatusUpdated() if event.status != book.status:
                to = event.status
            case _:
                pass
        yield from _go(SHIPMENT, book, to)


def _go(chains: Chains, book: PaymentBook | OrderBook | ShipmentBook, to: str) -> Iterator[str]:
    if to and to not in chains.get(book.status, frozenset()):
        yield f"went from {book.status or 'new'} to {to}"
    book.status = to or book.status
