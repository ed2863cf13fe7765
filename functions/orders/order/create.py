"""Creating an order: ask the products for their prices, one after the other; only then it exists.

Until the last product has answered nothing is stored. What is known so far travels with the
asks, as a draft that each answer brings back.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from orders.messages.kinds import ProductKind
from orders.messages.order import CreateOrder, OrderCancelled, OrderCreated, OrderPlaced
from orders.messages.product import CheckAvailability, ItemsAvailable
from orders.messages.values import ZERO, OrderLine, cents, require_short_id
from orders.order.state import Order, order
from orders.order.steps import following
from wherry import (
    Accepted,
    Answered,
    Ask,
    Asker,
    Context,
    Rejected,
    later,
    react,
    refuse,
    reply_to,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Draft:
    """An order that does not exist yet."""

    command: CreateOrder
    asker: Asker[OrderPlaced]
    lines: tuple[OrderLine, ...] = ()
    currency: str = ""
    unavailable: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all prices are known."""
        return len(self.lines) == len(self.command.items)


@order.handles(CreateOrder)
def create(order: Order, command: CreateOrder, ctx: Context) -> Accepted[OrderPlaced]:
    if order.status:
        raise Rejected("order-exists", f"{ctx.key} is {order.status}")
    require_short_id(ctx.key)
    return later(command, sends=(_ask_next(Draft(command, ctx.asker(command))),))


@order.answers(CheckAvailability)
def priced(order: Order, answer: Answered[ItemsAvailable], ctx: Context) -> Accepted[None]:
    draft = answer.carried(Draft)
    if order.status:
        return _beaten(order, draft, ctx)
    found = _price(answer)
    if found is None:
        code = answer.code or "product-unavailable"
        return react(answers=(refuse(draft.asker, code, answer.detail, **answer.data),))
    price, currency = found
    if draft.currency not in {"", currency}:
        detail = f"{answer.key} is sold for {currency}, others for {draft.currency}"
        return react(answers=(refuse(draft.asker, "currency-mismatch", detail),))
    draft = _with(draft, answer, price, currency)
    return _store(order, draft, ctx) if draft.complete else react(sends=(_ask_next(draft),))


def _ask_next(draft: Draft) -> Ask[ProductKind, ItemsAvailable]:
    item = draft.command.items[len(draft.lines)]
    return Ask(ProductKind.ref(item.product_id), CheckAvailability(item.quantity), carry=draft)


def _price(answer: Answered[ItemsAvailable]) -> tuple[Decimal, str] | None:
    """Price and currency; a product that is not there in such numbers still tells them."""
    if answer.done:
        return answer.reply.price, answer.reply.currency
    if answer.code == "items-unavailable":
        return Decimal(answer.data["price"]), answer.data["currency"]
    return None


def _with(draft: Draft, answer: Answered[ItemsAvailable], price: Decimal, currency: str) -> Draft:
    item = draft.command.items[len(draft.lines)]
    missing = () if answer.done else (item.product_id,)
    return replace(
        draft,
        lines=(*draft.lines, OrderLine(item.product_id, item.quantity, price)),
        currency=currency,
        unavailable=(*draft.unavailable, *missing),
    )


def _store(order: Order, draft: Draft, ctx: Context) -> Accepted[None]:
    command, lines = draft.command, draft.lines
    total = cents(sum((line.unit_price * line.quantity for line in lines), ZERO))
    created = OrderCreated(
        ctx.key,
        command.customer_id,
        command.account_id,
        lines,
        total,
        draft.currency,
        command.shipping_address,
        command.payment_method,
        ctx.now,
        draft.asker.id,
        draft.unavailable,
    )
    over = [OrderCancelled(ctx.key, "ItemsUnavailable")] if draft.unavailable else []
    placed = OrderPlaced(ctx.key, "Pending", total, draft.currency)
    sends = following(order, ctx.key, created, *over)
    return react(created, *over, sends=sends, answers=(reply_to(draft.asker, placed),))


def _beaten(order: Order, draft: Draft, ctx: Context) -> Accepted[None]:
    """Another CreateOrder was faster - or this is a copy of an answer, and all is said."""
    if order.placed_by == draft.asker.id:
        return react()
    return react(answers=(refuse(draft.asker, "order-exists", f"{ctx.key} is {order.status}"),))
