"""What an order is.

`open` names everything that the order waits for; the folds decide it, so that it can always be
told from the log. An order is settled when its status is final and `open` is empty.

reserve:<product>  account  payment  sell:<product>  shipment       the way forward
release:<product>  restock:<product>  refund  stop                  the way back
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from orders import settings
from orders.messages.kinds import OrderKind
from orders.messages.order import CheckOrderStatus, OrderState, OrderStatus
from orders.messages.values import ZERO, Address, OrderLine
from orders.order.lifecycle import FAILED, FINAL, LIFECYCLE
from orders.supervision import SUPERVISION
from wherry import Asker, Entity, ReceiveTimeout


@dataclass(frozen=True, slots=True)
class Stopping:
    """Where the order goes when its shipment is stopped, and who waits for that."""

    status: Literal["Cancelled", "ShipmentFailed"]
    reason: str
    asker: Asker[OrderStatus] | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """`held` and `sold` name products; `paid` says that the payment's money is the order's.

    `again`  steps of `open` that failed, and are asked again at the next check
    `checks` how often the order has looked after itself since anything moved
    """

    status: Literal[""] | OrderState = ""
    customer_id: str = ""
    account_id: str = ""
    items: tuple[OrderLine, ...] = ()
    total_amount: Decimal = ZERO
    currency: str = ""
    shipping_address: Address | None = None
    payment_method: str = ""
    created_at: datetime | None = None
    placed_by: str = ""
    reservation_id: str = ""
    payment_id: str = ""
    shipment_id: str = ""
    tracking_number: str = ""
    reason: str = ""
    refunded: Decimal = ZERO
    paid: bool = False
    returned: bool = False
    held: tuple[str, ...] = ()
    sold: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    checks: int = 0
    stopping: Stopping | None = None

    @property
    def failed(self) -> bool:
        """Whether it has come to nothing."""
        return self.status in FAILED

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself, and nothing is owed."""
        return self.status in FINAL and not self.open

    def waits_for(self, *names: str) -> bool:
        """Whether a step of one of these names is open."""
        return any(step.partition(":")[0] in names for step in self.open)

    def line(self, product_id: str) -> OrderLine:
        """What was ordered of a product."""
        return next(line for line in self.items if line.product_id == product_id)


order = Entity(
    OrderKind,
    Order(),
    lifecycle=LIFECYCLE,
    receive_timeout=ReceiveTimeout(
        settings.RECEIVE_TIMEOUT, CheckOrderStatus(), waiting=lambda order: bool(order.open)
    ),
    supervision=SUPERVISION,
)
