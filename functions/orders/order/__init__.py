"""An order: eleven states, driven by the answers of products, account, payment and shipment.

state       what it is, and everything that it waits for
folds       what events do to it
steps       what it asks of others, and tells its customer
create      from the command to the event
flow        the way forward
giving_back the way back
by_hand     what people do to it
check       what it does when nobody answers
"""

from orders.order import by_hand, check, create, flow, folds, giving_back
from orders.order.state import Order, order

__all__ = ["Order", "by_hand", "check", "create", "flow", "folds", "giving_back", "order"]
