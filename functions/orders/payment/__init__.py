"""A payment: debit the account, capture at the gateway; and what gives the money back.

The gateway's calls are named after the payment (`capture-o1`, `refund-o1-1`), so that an attempt
that is made again is the same call. Money that was debited and is not captured goes back to the
account before anybody is told that the payment has failed.
"""

from orders.payment import process, refund
from orders.payment.state import Payment, payment

__all__ = ["Payment", "payment", "process", "refund"]
