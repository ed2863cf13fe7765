"""A customer: the notices that were given, so that each is given once."""

from dataclasses import dataclass, replace

from orders import settings
from orders.messages.customer import Notice, Notify, OrderCancelled, OrderConfirmed
from orders.messages.kinds import CustomerKind, WebhookKind
from orders.messages.outside import PostNotice
from orders.supervision import SUPERVISION
from wherry import Accepted, Context, Entity, Tell, accept

#: So many notices are kept in the state; all of them are in the log.
KEPT = 50


@dataclass(frozen=True, slots=True)
class Told:
    """One notice."""

    order_id: str
    notice: Notice
    reason: str = ""
    detail: str = ""
    tracking_number: str = ""


@dataclass(frozen=True, slots=True)
class Customer:
    """The last notices, newest last."""

    notices: tuple[Told, ...] = ()


customer = Entity(CustomerKind, Customer(), supervision=SUPERVISION)


@customer.handles(Notify, internal=True)
def notify(customer: Customer, command: Notify, ctx: Context) -> Accepted[None]:
    if any((t.order_id, t.notice) == (command.order_id, command.notice) for t in customer.notices):
        return accept(command, reply=None)
    event = (
        OrderConfirmed(command.order_id, ctx.key, command.tracking_number)
        if command.notice == "OrderConfirmed"
        else OrderCancelled(command.order_id, ctx.key, command.reason, command.detail)
    )
    # A Tell: whether anybody listens to the webhook concerns no order.
    sends = (_post(command, ctx),) if settings.WEBHOOK_URL else ()
    return accept(command, event, reply=None, sends=sends)


@customer.folds(OrderConfirmed)
def confirmed(customer: Customer, event: OrderConfirmed) -> Customer:
    told = Told(event.order_id, "OrderConfirmed", tracking_number=event.tracking_number)
    return _with(customer, told)


@customer.folds(OrderCancelled)
def cancelled(customer: Customer, event: OrderCancelled) -> Customer:
    return _with(customer, Told(event.order_id, "OrderCancelled", event.reason, event.detail))


def _with(customer: Customer, told: Told) -> Customer:
    return replace(customer, notices=(*customer.notices, told)[-KEPT:])


def _post(command: Notify, ctx: Context) -> Tell[WebhookKind]:
    call = PostNotice(
        command.notice,
        command.order_id,
        ctx.key,
        command.reason,
        command.detail,
        command.tracking_number,
    )
    return Tell(WebhookKind.ref(f"{command.notice}-{command.order_id}"), call)
