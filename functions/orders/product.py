"""A product: what lies there, what is held for orders, what is sold.

`on_hand` is there for anybody. A hold ends by the clock, whether or not its timer was there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from orders import settings
from orders.memory import remembering, without
from orders.messages.kinds import ProductKind
from orders.messages.product import (
    CheckAvailability,
    ExpireHold,
    ItemsAvailable,
    ItemsReserved,
    ItemsRestocked,
    ItemsSold,
    ProductRegistered,
    RegisterProduct,
    ReleaseReservation,
    ReservationExpired,
    ReservationReleased,
    ReserveItems,
    RestockItems,
    SellItems,
    StockLevel,
    StockUpdated,
    UpdateStock,
)
from orders.messages.values import ZERO, cents
from orders.supervision import SUPERVISION
from wherry import Accepted, Context, Entity, Rejected, StartTimer, StopTimer, accept


@dataclass(frozen=True, slots=True)
class Hold:
    """Items that are held for an order; good as long as `expires_at` lies ahead."""

    quantity: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Product:
    """`ended` has the last orders whose hold is over, and how it ended: so it does not come back.

    `restocked` has the last orders whose items came back.
    """

    status: str = ""
    name: str = ""
    price: Decimal = ZERO
    currency: str = ""
    on_hand: int = 0
    reserved: int = 0
    sold: int = 0
    reservations: dict[str, Hold] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    restocked: dict[str, int] = field(default_factory=dict)

    def over(self, now: datetime) -> Iterator[ReservationExpired]:
        """What has happened to the holds whose time is over."""
        for order_id, hold in self.reservations.items():
            if hold.expires_at <= now:
                yield ReservationExpired(order_id, hold.quantity)


LIFECYCLE = {"": ["registered"]}

product = Entity(ProductKind, Product(), lifecycle=LIFECYCLE, supervision=SUPERVISION)


# -- being a product -----------------------------------------------------------------------------


@product.handles(RegisterProduct)
def register(product: Product, command: RegisterProduct, ctx: Context) -> Accepted[None]:
    event = ProductRegistered(command.name, cents(command.price), command.currency)
    if not product.status:
        return accept(command, event, reply=None)
    if event != ProductRegistered(product.name, product.price, product.currency):
        raise Rejected("already-registered", f"{ctx.key} is registered as {product.name}")
    return accept(command, reply=None)


@product.handles(UpdateStock)
def update_stock(product: Product, command: UpdateStock, ctx: Context) -> Accepted[StockLevel]:
    _require_registered(product, ctx)
    level = StockLevel(ctx.key, command.quantity, product.reserved, product.sold)
    changed = [StockUpdated(command.quantity)] if command.quantity != product.on_hand else []
    return accept(command, *changed, reply=level)


@product.handles(CheckAvailability)
def check(product: Product, command: CheckAvailability, ctx: Context) -> Accepted[ItemsAvailable]:
    _require_registered(product, ctx)
    ended = tuple(product.over(ctx.now))
    available = product.on_hand + sum(event.quantity for event in ended)
    if available < command.quantity:
        raise _unavailable(product, command.quantity, available, ctx)
    price = ItemsAvailable(ctx.key, command.quantity, available, product.price, product.currency)
    return accept(command, reply=price)


# -- holding -------------------------------------------------------------------------------------


@product.handles(ReserveItems)
def reserve(product: Product, command: ReserveItems, ctx: Context) -> Accepted[ItemsReserved]:
    _require_registered(product, ctx)
    hold = product.reservations.get(command.order_id)
    if hold is not None and hold.expires_at > ctx.now:
        return accept(command, reply=_same_hold(command, hold, ctx))
    _require_new(product, command, hold)
    ended = tuple(product.over(ctx.now)) if product.on_hand < command.quantity else ()
    available = product.on_hand + sum(event.quantity for event in ended)
    if available < command.quantity:
        raise _unavailable(product, command.quantity, available, ctx)
    until = _to_milliseconds(ctx.now + (command.hold_for or settings.HOLD))
    reserved = _reserved(command, until, ctx)
    timer = StartTimer(_timer(command.order_id), until, ExpireHold(command.order_id, until))
    return accept(command, *ended, reserved, reply=reserved, timers=(timer,))


@product.handles(ReleaseReservation)
def release(
    product: Product, command: ReleaseReservation, ctx: Context
) -> Accepted[ReservationReleased]:
    _require_registered(product, ctx)
    hold = product.reservations.get(command.order_id)
    released = ReservationReleased(command.order_id, hold.quantity if hold else 0)
    if hold is None:
        return accept(command, reply=released)
    timer = StopTimer(_timer(command.order_id))
    return accept(command, released, reply=released, timers=(timer,))


@product.handles(ExpireHold, internal=True)
def expire(product: Product, command: ExpireHold, ctx: Context) -> Accepted[None]:
    hold = product.reservations.get(command.order_id)
    # A timer that was already on its way must not end a later hold of the same order.
    if hold is None or hold.expires_at != command.due:
        return accept(command, reply=None)
    return accept(command, ReservationExpired(command.order_id, hold.quantity), reply=None)


# -- selling -------------------------------------------------------------------------------------


@product.handles(SellItems, internal=True)
def sell(product: Product, command: SellItems, ctx: Context) -> Accepted[ItemsSold]:
    _require_registered(product, ctx)
    sold = ItemsSold(command.order_id, command.quantity)
    if product.ended.get(command.order_id) == "sold":
        return accept(command, reply=sold)
    hold = product.reservations.get(command.order_id)
    if hold is None or hold.expires_at <= ctx.now or hold.quantity != command.quantity:
        raise Rejected(
            "reservation-lost", f"{ctx.key} holds no {command.quantity} for {command.order_id}"
        )
    return accept(command, sold, reply=sold, timers=(StopTimer(_timer(command.order_id)),))


@product.handles(RestockItems, internal=True)
def restock(product: Product, command: RestockItems, ctx: Context) -> Accepted[ItemsRestocked]:
    _require_registered(product, ctx)
    back = ItemsRestocked(command.order_id, command.quantity)
    if command.order_id in product.restocked:
        return accept(command, reply=back)
    if command.quantity > product.sold:
        raise Rejected("not-sold", f"{ctx.key} has sold {product.sold}, not {command.quantity}")
    return accept(command, back, reply=back)


# -- what events do ------------------------------------------------------------------------------


@product.folds(ProductRegistered)
def registered(product: Product, event: ProductRegistered) -> Product:
    return Product("registered", event.name, event.price, event.currency)


@product.folds(StockUpdated)
def stock_updated(product: Product, event: StockUpdated) -> Product:
    return replace(product, on_hand=event.quantity)


@product.folds(ItemsReserved)
def reserved(product: Product, event: ItemsReserved) -> Product:
    hold = Hold(event.quantity, event.expires_at)
    return replace(
        product,
        on_hand=product.on_hand - event.quantity,
        reserved=product.reserved + event.quantity,
        reservations={**product.reservations, event.order_id: hold},
    )


@product.folds(ReservationReleased)
def released(product: Product, event: ReservationReleased) -> Product:
    return _back(product, event.order_id, event.quantity, "released")


@product.folds(ReservationExpired)
def expired(product: Product, event: ReservationExpired) -> Product:
    return _back(product, event.order_id, event.quantity, "expired")


@product.folds(ItemsSold)
def sold(product: Product, event: ItemsSold) -> Product:
    return replace(
        product,
        reserved=product.reserved - event.quantity,
        sold=product.sold + event.quantity,
        reservations=without(product.reservations, event.order_id),
        ended=remembering(product.ended, event.order_id, "sold"),
    )


@product.folds(ItemsRestocked)
def restocked(product: Product, event: ItemsRestocked) -> Product:
    return replace(
        product,
        on_hand=product.on_hand + event.quantity,
        sold=product.sold - event.quantity,
        restocked=remembering(product.restocked, event.order_id, event.quantity),
    )


def _back(product: Product, order_id: str, quantity: int, how: str) -> Product:
    return replace(
        product,
        on_hand=product.on_hand + quantity,
        reserved=product.reserved - quantity,
        reservations=without(product.reservations, order_id),
        ended=remembering(product.ended, order_id, how),
    )


# -- rules ---------------------------------------------------------------------------------------


def _require_registered(product: Product, ctx: Context) -> None:
    if not product.status:
        raise Rejected("unknown-product", f"{ctx.key} is not in the catalog", product_id=ctx.key)


def _require_new(product: Product, command: ReserveItems, hold: Hold | None) -> None:
    """An order reserves once: a copy of its message must not hold items for nobody."""
    how = "expired" if hold else product.ended.get(command.order_id)
    if how is not None:
        raise Rejected("reservation-ended", f"the reservation of {command.order_id} was {how}")


def _same_hold(command: ReserveItems, hold: Hold, ctx: Context) -> ItemsReserved:
    if hold.quantity != command.quantity:
        raise Rejected("already-reserved", f"{hold.quantity} are held for {command.order_id}")
    return _reserved(command, hold.expires_at, ctx)


def _reserved(command: ReserveItems, until: datetime, ctx: Context) -> ItemsReserved:
    # The reservation of an order is named as the order.
    order_id = command.order_id
    return ItemsReserved(order_id, order_id, ctx.key, command.quantity, until)


def _unavailable(product: Product, wanted: int, available: int, ctx: Context) -> Rejected:
    return Rejected(
        "items-unavailable",
        f"{wanted} of {ctx.key} are wanted, {available} are there",
        product_id=ctx.key,
        requested=wanted,
        available=available,
        price=str(product.price),
        currency=product.currency,
    )


def _timer(order_id: str) -> str:
    return f"hold:{order_id}"


def _to_milliseconds(at: datetime) -> datetime:
    """What is stored has milliseconds; what is remembered must not have more."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
