"""Orders that find all they need: two products each, money in the account, an address."""

from decimal import Decimal

from loadtests.bench.driver import Job, send_all, wait_all
from loadtests.bench.system import System

_PRODUCTS = 100
_ACCOUNTS = 200
_ADDRESS = {"name": "Ann", "street": "Quay 1", "city": "Rotterdam", "country": "NL"}
_PRICE = Decimal("12.50")
#: In each account, and of each product: more than all orders together want.
_MONEY = Decimal(1_000_000)
_STOCK = 1_000_000


def shop(system: System, count: int) -> None:
    """Products on the shelf, and money in the accounts."""
    del count
    jobs = [job for n in range(_PRODUCTS) for job in _product(f"p{n}")]
    jobs += [job for n in range(_ACCOUNTS) for job in _account(f"a{n}")]
    send_all(system, jobs)
    wait_all(system, jobs)


def _product(key: str) -> list[Job]:
    said = {"name": key, "price": str(_PRICE), "currency": "EUR"}
    return [
        Job(f"product/{key}", "RegisterProduct", said, f"register-{key}"),
        Job(f"product/{key}", "UpdateStock", {"quantity": _STOCK}, f"stock-{key}"),
    ]


def _account(key: str) -> list[Job]:
    money = {"amount": str(_MONEY), "reason": "first money"}
    return [
        Job(f"account/{key}", "OpenAccount", {"owner": key, "currency": "EUR"}, f"open-{key}"),
        Job(f"account/{key}", "CreditAccount", money, f"credit-{key}"),
    ]


def orders(run: str, count: int) -> list[Job]:
    """One of each of two products, for one of the accounts; the customer is its owner."""
    return [Job(f"order/{run}-{n}", "CreateOrder", _order(n), f"{run}-{n}") for n in range(count)]


def _order(number: int) -> dict[str, object]:
    first, account = number % _PRODUCTS, f"a{number % _ACCOUNTS}"
    products = (first, (first + 37) % _PRODUCTS)
    return {
        "customer_id": account,
        "account_id": account,
        "items": [{"product_id": f"p{n}", "quantity": 1} for n in products],
        "shipping_address": _ADDRESS,
        "payment_method": "card",
    }


def count_confirmed(system: System, count: int) -> dict[str, int]:
    """Every order has its parcel, nothing is open, and stock and money say the same."""
    load, registry = system.runtime.store.load, system.runtime.registry
    found = load(registry, [f"order/run-{n}" for n in range(count)]).values()
    confirmed = sum(
        order.status == "Preparing" and bool(order.state.tracking_number) and not order.state.open
        for order in found
    )
    products = load(registry, [f"product/p{n}" for n in range(_PRODUCTS)]).values()
    accounts = load(registry, [f"account/a{n}" for n in range(_ACCOUNTS)]).values()
    sold = sum(product.state.sold for product in products)
    paid = _ACCOUNTS * _MONEY - sum(account.state.balance for account in accounts)
    if (confirmed, sold, paid) != (count, 2 * count, 2 * count * _PRICE):
        raise RuntimeError(
            f"{confirmed} of {count} orders are confirmed, {sold} items are sold for {paid}"
        )
    return {"confirmed": confirmed}
