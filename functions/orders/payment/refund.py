"""Refunds: in full or in parts; each goes through the gateway, then to the account."""

from decimal import Decimal

from orders.messages.account import FundsReturned, ReturnFunds
from orders.messages.outside import GaveBack, Refund
from orders.messages.payment import (
    CheckPayment,
    PaymentChecked,
    PaymentRefunded,
    PaymentStepFailed,
    RefundDone,
    RefundPayment,
    RefundRefused,
    RefundRequested,
    RefundResult,
)
from orders.messages.values import ZERO, cents
from orders.payment import process
from orders.payment.asks import ask
from orders.payment.state import (
    CAPTURED,
    Payment,
    RefundState,
    payment,
    refund_requested,
    refunded,
)
from wherry import (
    Accepted,
    Answered,
    Context,
    Rejected,
    accept,
    later,
    react,
    refuse,
    reply_to,
)


@payment.handles(RefundPayment)
def refund(payment: Payment, command: RefundPayment, ctx: Context) -> Accepted[RefundResult]:
    reference = command.reference or ctx.new_id("refund")
    known = payment.refunds.get(reference)
    if known is not None and known.step != "refused":
        return accept(command, reply=_the_same(payment, reference, known, ctx))
    amount = _amount(payment, command.amount, ctx)
    if not amount:
        return accept(command, reply=_result(payment, ctx.key, ZERO))
    number = 1 + max((r.number for r in payment.refunds.values()), default=0)
    event = RefundRequested(ctx.key, reference, number, amount, ctx.asker(command))
    after = refund_requested(payment, event)
    return later(command, event, sends=(ask(after, ctx.key, f"gateway:{reference}"),))


@payment.answers(Refund)
def given_back(payment: Payment, answer: Answered[GaveBack], ctx: Context) -> Accepted[None]:
    reference = answer.carried(str)
    known = payment.refunds[reference]
    if known.step != "gateway":
        return react()
    match answer.outcome:
        case "done":
            sends = (ask(payment, ctx.key, f"account:{reference}"),)
            return react(RefundDone(ctx.key, reference), sends=sends)
        case "rejected":
            refused = refuse(known.asker, "refund-refused", f"the gateway says {answer.code}")
            event = RefundRefused(ctx.key, reference, answer.code)
            return react(event, answers=(refused,))
        case _:
            why = answer.code or answer.outcome
            return react(PaymentStepFailed(ctx.key, f"gateway:{reference}", why))


@payment.answers(ReturnFunds)
def returned(payment: Payment, answer: Answered[FundsReturned], ctx: Context) -> Accepted[None]:
    step = answer.carried(str)
    if not answer.done:
        return react(PaymentStepFailed(ctx.key, step, answer.code or answer.outcome))
    name, _, reference = step.partition(":")
    if name == "return":
        return process.returned(payment, ctx)
    known = payment.refunds[reference]
    if known.step != "account":
        return react()
    total = cents(payment.refunded + known.amount)
    event = PaymentRefunded(ctx.key, payment.order_id, reference, known.amount, total)
    result = _result(refunded(payment, event), ctx.key, known.amount)
    return react(event, answers=(reply_to(known.asker, result),))


@payment.handles(CheckPayment, internal=True)
def check(payment: Payment, command: CheckPayment, ctx: Context) -> Accepted[None]:
    """What failed is asked again: money that is due somewhere must arrive."""
    if not payment.again:
        return accept(command, reply=None)
    sends = tuple(ask(payment, ctx.key, step) for step in payment.again)
    return accept(command, PaymentChecked(ctx.key, payment.again), reply=None, sends=sends)


def _amount(payment: Payment, wanted: Decimal | None, ctx: Context) -> Decimal:
    """What is to be refunded: what is wanted, or what is left, which may be nothing."""
    if wanted is None and payment.status in CAPTURED:
        return payment.left
    if wanted is None or wanted > payment.left:
        raise Rejected(
            "refund-exceeds-payment",
            f"{payment.left} of {ctx.key} can be refunded, not {wanted or 'anything'}",
            payment_id=ctx.key,
            requested=None if wanted is None else str(wanted),
            left=str(payment.left),
        )
    return cents(wanted)


def _the_same(payment: Payment, reference: str, known: RefundState, ctx: Context) -> RefundResult:
    if known.step != "done":
        raise Rejected("refund-in-progress", f"{reference} is on its way")
    return _result(payment, ctx.key, known.amount)


def _result(payment: Payment, key: str, amount: Decimal) -> RefundResult:
    assert payment.status != ""  # noqa: S101 - there is something to refund
    return RefundResult(key, payment.order_id, amount, payment.refunded, payment.status)
