"""What events do to an order. Everything that it waits for is opened and closed here."""

from collections.abc import Iterable
from dataclasses import replace

from orders.messages import shipment
from orders.messages.order import (
    ItemLost,
    ItemReleased,
    ItemReserved,
    ItemRestocked,
    ItemSold,
    ItemsReserved,
    ItemUnavailable,
    OrderCancelled,
    OrderChecked,
    OrderCreated,
    OrderDelivered,
    OrderOutOfStock,
    OrderPrepared,
    OrderRefunded,
    OrderShipped,
    OrderState,
    PaymentGivenUp,
    PaymentProcessed,
    PaymentStarted,
    ReservationReleased,
    ReturnAccepted,
    ReturnRequested,
    ShipmentNotStopped,
    ShipmentStopped,
    StepFailed,
    StopRequested,
)
from orders.order.state import Order, Stopping, order


def closing(order: Order, *steps: str) -> Order:
    """An order that has got answers: something has moved."""
    return replace(
        order,
        open=tuple(step for step in order.open if step not in steps),
        again=tuple(step for step in order.again if step not in steps),
        checks=0,
    )


def opening(order: Order, steps: Iterable[str]) -> Order:
    """An order that waits for more."""
    return replace(order, open=(*order.open, *(s for s in steps if s not in order.open)))


# -- the way forward -----------------------------------------------------------------------------


@order.folds(OrderCreated)
def created(order: Order, event: OrderCreated) -> Order:
    steps = [f"reserve:{line.product_id}" for line in event.items]
    return Order(
        status="Pending",
        customer_id=event.customer_id,
        account_id=event.account_id,
        items=event.items,
        total_amount=event.total_amount,
        currency=event.currency,
        shipping_address=event.shipping_address,
        payment_method=event.payment_method,
        created_at=event.created_at,
        placed_by=event.placed_by,
        open=() if event.unavailable else tuple(steps),
    )


@order.folds(ItemReserved)
def item_reserved(order: Order, event: ItemReserved) -> Order:
    return _held(order, event.product_id)


@order.folds(ItemsReserved)
def items_reserved(order: Order, event: ItemsReserved) -> Order:
    held = order
    for line in event.items:
        held = _held(held, line.product_id)
    return opening(replace(held, reservation_id=event.reservation_id), ["account"])


@order.folds(ItemUnavailable)
def item_unavailable(order: Order, event: ItemUnavailable) -> Order:
    return closing(order, f"reserve:{event.product_id}")


@order.folds(PaymentStarted)
def payment_started(order: Order, event: PaymentStarted) -> Order:
    going = replace(
        closing(order, "account"), status="PaymentProcessing", payment_id=event.payment_id
    )
    return opening(going, ["payment"])


@order.folds(PaymentProcessed)
def payment_processed(order: Order, event: PaymentProcessed) -> Order:
    known = closing(order, "payment")
    if event.status == "Failed":
        return known if order.failed else _give_back(known, "PaymentFailed", event.reason)
    paid = replace(known, paid=True)
    if order.failed:  # it was given up, and has come to be all the same
        return opening(paid, ["refund"])
    sales = [f"sell:{line.product_id}" for line in order.items]
    return opening(replace(paid, status="PaymentConfirmed"), sales)


@order.folds(ItemSold)
def item_sold(order: Order, event: ItemSold) -> Order:
    name = event.product_id
    sold = replace(
        closing(order, f"sell:{name}"), held=_less(order.held, name), sold=(*order.sold, name)
    )
    return opening(sold, [f"restock:{name}"]) if order.failed else sold


@order.folds(OrderPrepared)
def prepared(order: Order, event: OrderPrepared) -> Order:
    going = replace(order, status="Preparing", shipment_id=event.shipment_id)
    return opening(going, ["shipment"])


@order.folds(shipment.ShipmentCreated)
def shipment_created(order: Order, event: shipment.ShipmentCreated) -> Order:
    known = replace(
        closing(order, "shipment"),
        shipment_id=event.shipment_id,
        tracking_number=event.tracking_number,
    )
    return opening(known, ["stop"]) if order.failed else known


@order.folds(OrderShipped)
def shipped(order: Order, event: OrderShipped) -> Order:
    return replace(closing(order), status="Shipped")


@order.folds(OrderDelivered)
def delivered(order: Order, event: OrderDelivered) -> Order:
    return replace(closing(order), status="Delivered")


# -- what goes wrong -----------------------------------------------------------------------------


@order.folds(OrderCancelled)
def cancelled(order: Order, event: OrderCancelled) -> Order:
    return _give_back(order, "Cancelled", event.reason)


@order.folds(PaymentGivenUp)
def payment_given_up(order: Order, event: PaymentGivenUp) -> Order:
    return _give_back(order, "PaymentFailed", event.reason)


@order.folds(ItemLost)
def item_lost(order: Order, event: ItemLost) -> Order:
    name = event.product_id
    return replace(closing(order, f"sell:{name}"), held=_less(order.held, name))


@order.folds(OrderOutOfStock)
def out_of_stock(order: Order, event: OrderOutOfStock) -> Order:
    return _give_back(order, "OutOfStock", event.reason)


@order.folds(shipment.ShipmentFailed)
def shipment_failed(order: Order, event: shipment.ShipmentFailed) -> Order:
    known = closing(order, "shipment")
    # An order that was shipped by hand does not care what the carrier says of the label.
    return _give_back(known, "ShipmentFailed", event.reason) if _preparing(order) else known


@order.folds(StopRequested)
def stop_requested(order: Order, event: StopRequested) -> Order:
    stopping = Stopping(event.status, event.reason, event.asker)
    return opening(replace(closing(order), stopping=stopping), ["stop"])


@order.folds(ShipmentStopped)
def shipment_stopped(order: Order, event: ShipmentStopped) -> Order:
    return replace(closing(order, "stop", "shipment"), stopping=None)


@order.folds(ShipmentNotStopped)
def shipment_not_stopped(order: Order, event: ShipmentNotStopped) -> Order:
    return replace(closing(order, "stop"), stopping=None)


@order.folds(ReturnRequested)
def return_requested(order: Order, event: ReturnRequested) -> Order:
    return replace(closing(order), status="ReturnRequested", reason=event.reason)


@order.folds(ReturnAccepted)
def return_accepted(order: Order, event: ReturnAccepted) -> Order:
    return opening(replace(closing(order), returned=True), _owed(order))


# -- the way back --------------------------------------------------------------------------------


@order.folds(ItemReleased)
def item_released(order: Order, event: ItemReleased) -> Order:
    released = closing(order, f"release:{event.product_id}")
    return replace(released, held=_less(order.held, event.product_id))


@order.folds(ReservationReleased)
def reservation_released(order: Order, event: ReservationReleased) -> Order:
    last = [step for step in order.open if step.startswith("release:")]
    return replace(closing(order, *last), held=())


@order.folds(ItemRestocked)
def item_restocked(order: Order, event: ItemRestocked) -> Order:
    back = closing(order, f"restock:{event.product_id}")
    return replace(back, sold=_less(order.sold, event.product_id))


@order.folds(OrderRefunded)
def order_refunded(order: Order, event: OrderRefunded) -> Order:
    return replace(closing(order, "refund"), paid=False, refunded=event.refunded)


# -- looking after itself ------------------------------------------------------------------------


@order.folds(StepFailed)
def step_failed(order: Order, event: StepFailed) -> Order:
    return replace(order, again=(*_less(order.again, event.step), event.step))


@order.folds(OrderChecked)
def checked(order: Order, event: OrderChecked) -> Order:
    again = tuple(step for step in order.again if step not in event.asked)
    return replace(order, again=again, checks=event.number)


# -- how -----------------------------------------------------------------------------------------


def _held(order: Order, product_id: str) -> Order:
    """One more product is held; an order that has failed gives it back at once."""
    step = f"reserve:{product_id}"
    held = replace(closing(order, step), held=(*_less(order.held, product_id), product_id))
    return opening(held, [f"release:{product_id}"]) if order.failed else held


def _give_back(order: Order, status: OrderState, reason: str) -> Order:
    """End in failure. What is still on its way is waited for, and then goes back as well."""
    ended = replace(closing(order, "account"), status=status, reason=reason)
    return opening(ended, _owed(ended))


def _owed(order: Order) -> list[str]:
    """What the order has, and must not keep."""
    return [
        *(f"release:{name}" for name in order.held if f"sell:{name}" not in order.open),
        *(f"restock:{name}" for name in order.sold),
        *(["refund"] if order.paid else []),
    ]


def _preparing(order: Order) -> bool:
    return order.status == "Preparing"


def _less(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(other for other in names if other != name)
