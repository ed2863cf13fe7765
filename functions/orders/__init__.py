"""The order bundle: orders that drive themselves by messages, and everybody whom they talk to."""

from orders.account import account
from orders.carrier import carrier
from orders.customer import customer
from orders.gateway import gateway
from orders.order import order
from orders.payment import payment
from orders.product import product
from orders.shipment import shipment
from orders.webhook import webhook
from wherry import App, StandIn

__all__ = [
    "account", "app", "carrier", "customer", "gateway", "order", "payment", "product", "shipment",
    "webhook",
]  # fmt: skip

#: In place of the systems outside, where no setting names them: demos and development.
stand_in = StandIn(
    "orders.simulators:app",
    env=(
        ("ORDERS_GATEWAY_URL", "/gateway"),
        ("ORDERS_CARRIER_URL", "/carrier"),
        ("ORDERS_WEBHOOK_URL", "/webhook"),
    ),
)

app = App(
    [order, payment, account, product, shipment, customer, gateway, carrier, webhook],
    stand_ins=[stand_in],
)
