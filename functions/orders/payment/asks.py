"""What a payment asks of others, by the name of the step.

debit, capture     processing it
void               the gateway undoes a capture, whatever became of it
return             the account takes back what was debited
gateway:<number>   the gateway gives back part of a capture
account:<number>   the account takes that
"""

from decimal import Decimal
from typing import Any

from orders.messages.account import DebitAccount, ReturnFunds
from orders.messages.kinds import AccountKind, GatewayKind
from orders.messages.outside import Capture, Refund, VoidCapture
from orders.payment.state import Payment
from wherry import Ask


def ask(payment: Payment, key: str, step: str) -> Ask[Any, Any]:
    """The message of a step. What gives back carries the step, for its answer."""
    name, _, number = step.partition(":")
    match name:
        case "debit":
            return _debit(payment, key)
        case "capture":
            return _capture(payment, key)
        case "void":
            return Ask(GatewayKind.ref(f"void-{key}"), VoidCapture(f"capture-{key}"))
        case "return":
            return _give(payment, payment.amount, f"payment-{key}", step)
        case "gateway":
            return _refund(payment, key, int(number))
        case "account":
            amount = payment.refunds[int(number)].amount
            return _give(payment, amount, f"refund-{key}-{number}", step)
        case _:
            raise ValueError(f"a payment has no step {step!r}")


def _debit(payment: Payment, key: str) -> Ask[Any, Any]:
    command = DebitAccount(payment.amount, payment.order_id, payment.currency, reference=key)
    return Ask(AccountKind.ref(payment.account_id), command)


def _capture(payment: Payment, key: str) -> Ask[Any, Any]:
    command = Capture(payment.order_id, payment.amount, payment.currency, payment.payment_method)
    return Ask(GatewayKind.ref(f"capture-{key}"), command)


def _refund(payment: Payment, key: str, number: int) -> Ask[Any, Any]:
    amount = payment.refunds[number].amount
    command = Refund(payment.transaction_id, amount, payment.currency)
    return Ask(GatewayKind.ref(f"refund-{key}-{number}"), command, carry=number)


def _give(payment: Payment, amount: Decimal, reference: str, step: str) -> Ask[Any, Any]:
    command = ReturnFunds(amount, payment.order_id, reference)
    return Ask(AccountKind.ref(payment.account_id), command, carry=step)
