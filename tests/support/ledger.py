"""The checker of the order system: reads all logs, and says what does not add up.

`wrong` takes the logs as `books` reads them, from a world or from a store, and proves

money      what came into accounts is there, or captured and not refunded, or taken out by hand
stock      what was set as stock is there, or held, or sold
statuses   orders, payments and shipments went along their tables
once       at most one capture for an order, one debit and one return for each reference
logs       no version is missing

and of a system that is quiet: every order has ended, or rests with its parcel under way; one that
has come to nothing holds, owns and has paid nothing. With the ledgers of the simulators: gateway
and carrier have done what payments and shipments say, and no order was captured or shipped twice.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from tests.support.books import (
    NOTHING,
    ZERO,
    Books,
    Log,
    OrderBook,
    PaymentBook,
    ProductBook,
    read,
)

Ledger = Mapping[str, list[dict[str, Any]]]


def wrong(
    logs: Iterable[Log],
    *,
    quiet: bool = False,
    gateway: Ledger | None = None,
    carrier: Ledger | None = None,
) -> list[str]:
    """Everything that does not add up. Empty when all is well.

    `quiet`: nothing is under way any more, so that all accounts must be settled.
    """
    books = read(logs)
    found = [*books.findings, *_one_payment(books), *_debits(books)]
    if quiet:
        found += [*_money(books), *_ended(books), *_stock_of_orders(books)]
    if gateway is not None:
        found += [*_captured_once(gateway), *(_gateway(books, gateway) if quiet else ())]
    if carrier is not None:
        found += [*_shipped_once(carrier), *(_carrier(books, carrier) if quiet else ())]
    return found


# -- at any time ---------------------------------------------------------------------------------


def _one_payment(books: Books) -> Iterator[str]:
    """An order is paid at most once."""
    paid: set[str] = set()
    for key, payment in books.payments.items():
        if payment.transaction_id and payment.order_id in paid:
            yield f"payment/{key}: {payment.order_id} was paid before"
        if payment.transaction_id:
            paid.add(payment.order_id)


def _debits(books: Books) -> Iterator[str]:
    """What a payment thinks was debited, was; and nothing came back that had not gone."""
    debits = _sum(books, "debits")
    for key, payment in books.payments.items():
        if payment.debited and debits.get(key) != payment.debited:
            gone = debits.get(key, ZERO)
            yield f"payment/{key}: {payment.debited} are debited, the account says {gone}"
        if (back := _returned(books, key)) > debits.get(key, ZERO):
            yield f"payment/{key}: {back} came back, {debits.get(key)} had gone"


def _sum(books: Books, of: str) -> dict[str, Decimal]:
    """The debits, or the returns, of all accounts by reference."""
    return {
        reference: amount
        for account in books.accounts.values()
        for reference, amount in getattr(account, of).items()
    }


def _returned(books: Books, key: str) -> Decimal:
    mine = (
        amount
        for reference, amount in _sum(books, "returns").items()
        if reference == f"payment-{key}" or reference.rpartition("-")[0] == f"refund-{key}"
    )
    return sum(mine, ZERO)


# -- when all is quiet ---------------------------------------------------------------------------


def _money(books: Books) -> Iterator[str]:
    """Every cent that came in is in an account, in a payment that stands, or was taken out."""
    for key, payment in books.payments.items():
        kept = _sum(books, "debits").get(key, ZERO) - _returned(books, key)
        due = payment.amount - payment.refunded if payment.transaction_id else ZERO
        if kept != due:
            yield f"payment/{key}: is {payment.status}, and keeps {kept}, not {due}"
        if payment.status == "Processing":
            yield f"payment/{key}: is still Processing"
    came = sum((a.credits for a in books.accounts.values()), ZERO)
    there = sum((a.balance for a in books.accounts.values()), ZERO)
    stands = sum((p.amount - p.refunded for p in books.payments.values() if p.transaction_id), ZERO)
    taken = sum((n for r, n in _sum(books, "debits").items() if r not in books.payments), ZERO)
    if came != there + stands + taken:
        yield f"{came} came in; {there} are there, {stands} paid, {taken} taken out"


def _ended(books: Books) -> Iterator[str]:
    """Every order is at its end, or its parcel is under way."""
    for key, order in books.orders.items():
        resting = order.status in {"Preparing", "Shipped"} and order.tracking_number
        if order.status in {"Pending", "PaymentProcessing", "PaymentConfirmed"}:
            yield f"order/{key}: is still {order.status}"
        elif order.status == "Preparing" and not resting:
            yield f"order/{key}: is Preparing, and has no label"
        payment = books.payments.get(key, PaymentBook())
        left = payment.amount - payment.refunded if payment.transaction_id else ZERO
        if _is_over(order) and left:
            yield f"order/{key}: is {order.status}, and has paid {left}"
        if not _is_over(order) and not payment.transaction_id:
            yield f"order/{key}: is {order.status}, and has not paid"


def _is_over(order: OrderBook) -> bool:
    """Whether everything must have gone back."""
    return order.status in NOTHING or order.returned


def _stock_of_orders(books: Books) -> Iterator[str]:
    """An order that stands owns its items; one that has come to nothing owns none."""
    for key, order in books.orders.items():
        for product_id, quantity in order.items.items():
            product = books.products.get(product_id, ProductBook())
            owned = 0 if _is_over(order) else quantity
            if (sold := product.sold.get(key, 0)) != owned:
                yield f"order/{key}: is {order.status}, and owns {sold} {product_id}, not {owned}"
            if held := product.held.get(key, 0):
                yield f"order/{key}: is {order.status}, and {held} {product_id} are held for it"


# -- the systems outside -------------------------------------------------------------------------


def _captured_once(gateway: Ledger) -> Iterator[str]:
    orders = [c["order_id"] for c in gateway["captures"] if c["status"] == "captured"]
    for order_id in sorted(set(orders)):
        if (count := orders.count(order_id)) > 1:
            yield f"gateway: {order_id} was captured {count} times"


def _gateway(books: Books, gateway: Ledger) -> Iterator[str]:
    """Captures minus refunds are what the payments say; neither knows of more."""
    standing = {p.transaction_id: p for p in books.payments.values() if p.transaction_id}
    captures = {c["transaction_id"]: c for c in gateway["captures"] if c["status"] == "captured"}
    for id_ in sorted(standing.keys() | captures.keys()):
        payment, capture = standing.get(id_), captures.get(id_)
        ours = (payment.amount, payment.refunded) if payment else None
        theirs = (Decimal(capture["amount"]), Decimal(capture["refunded"])) if capture else None
        if ours != theirs:
            yield f"gateway: {id_} is {_words(theirs)}, its payment says {_words(ours)}"


def _words(money: tuple[Decimal, Decimal] | None) -> str:
    return "not captured" if money is None else f"{money[0]} captured and {money[1]} refunded"


def _shipped_once(carrier: Ledger) -> Iterator[str]:
    orders = [s["order_id"] for s in carrier["shipments"] if s["status"] == "booked"]
    for order_id in sorted(set(orders)):
        if (count := orders.count(order_id)) > 1:
            yield f"carrier: {order_id} was booked {count} times"


def _carrier(books: Books, carrier: Ledger) -> Iterator[str]:
    """What the carrier will fetch is what the shipments say."""
    booked = {s["tracking_number"] for s in carrier["shipments"] if s["status"] == "booked"}
    ours = {
        s.tracking_number
        for s in books.shipments.values()
        if s.tracking_number and s.status not in {"Failed", "Cancelled"}
    }
    yield from (f"carrier: will fetch {n}, which no shipment has" for n in sorted(booked - ours))
    yield from (f"carrier: will not fetch {n}" for n in sorted(ours - booked))
