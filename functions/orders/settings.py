"""What the bundle is told by its environment, read once: when it is imported."""

import os
from datetime import timedelta


def _text(name: str) -> str:
    return os.environ.get(name, "").strip().rstrip("/")


def _seconds(name: str, default: float) -> timedelta:
    return timedelta(seconds=float(os.environ.get(name) or default))


#: Where the systems outside are. An empty webhook: nobody wants to be told.
GATEWAY_URL = _text("ORDERS_GATEWAY_URL")
CARRIER_URL = _text("ORDERS_CARRIER_URL")
WEBHOOK_URL = _text("ORDERS_WEBHOOK_URL")

#: An order that waits, and hears nothing for so long, looks after itself.
RECEIVE_TIMEOUT = _seconds("ORDERS_RECEIVE_TIMEOUT", 30)
#: How long items are held for an order. Longer than a payment can take, with all its retries.
HOLD = _seconds("ORDERS_HOLD", 1800)

#: How long one attempt at a call may take.
CALL_TIMEOUT = _seconds("ORDERS_CALL_TIMEOUT", 10)
#: For how long a payment or a booking is tried. What gives something back is tried for ever.
RETRY_WITHIN = _seconds("ORDERS_RETRY_WITHIN", 120)
#: A target whose breaker is open is tried again after this.
BREAKER_RESET = _seconds("ORDERS_BREAKER_RESET", 5)
