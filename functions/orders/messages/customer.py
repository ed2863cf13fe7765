"""What a customer is told. The notices are stored, and posted to a webhook if there is one."""

from typing import Literal

from orders.messages.kinds import CustomerKind
from orders.messages.values import Id
from wherry import Command, Event, message

Notice = Literal["OrderConfirmed", "OrderCancelled"]


@message
class Notify(Command[CustomerKind, None]):
    """Tell the customer, once for each order and notice.

    The words are those of others, however many: a notice that is refused would be lost.
    """

    order_id: Id
    notice: Notice
    reason: str = ""
    detail: str = ""
    tracking_number: str = ""


@message
class OrderConfirmed(Event):
    """The customer was told that the parcel is ready."""

    order_id: str
    customer_id: str
    tracking_number: str


@message
class OrderCancelled(Event):
    """The customer was told that there will be none. `detail` is why, in other words."""

    order_id: str
    customer_id: str
    reason: str
    detail: str = ""
