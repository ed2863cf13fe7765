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
    known = _known(payment, command.reference)
    if known is not None:
        return accept(command, reply=_arrived(payment, known, ctx))
    amount = _amount(payment, command.amount, ctx)
    if not amount:
        return accept(command, reply=_nothing_left(payment, ctx))
    number = len(payment.refunds) + 1
    reference = command.reference or ""
    event = RefundRequested(ctx.key, number, reference, amount, ctx.asker(command))
    after = refund_requested(payment, event)
    return later(command, event, sends=(ask(after, ctx.key, f"gateway:{number}"),))


@payment.answers(Refund)
def given_back(payment: Payment, answer: Answered[GaveBack], ctx: Context) -> Accepted[None]:
    number = answer.carried(int)
    known = payment.refunds[number]
    if known.step != "gateway":
        return react()
    match answer.outcome:
        case "done":
            sends = (ask(payment, ctx.key, f"account:{number}"),)
            return react(RefundDone(ctx.key, number), sends=sends)
        case "rejected":
            refused = refuse(known.asker, "refund-refused", f"the gateway says {answer.code}")
            event = RefundRefused(ctx.key, number, answer.code)
            return react(event, answers=(refused,))
        case _:
            why = answer.code or answer.outcome
            return react(PaymentStepFailed(ctx.key, f"gateway:{number}", why))


@payment.answers(ReturnFunds)
def returned(payment: Payment, answer: Answered[FundsReturned], ctx: Context) -> Accepted[None]:
    step = answer.carried(str)
    if not answer.done:
        return react(PaymentStepFailed(ctx.key, step, answer.code or answer.outcome))
    name, _, number = step.partition(":")
    return process.returned(payment, ctx) if name == "return" else _back(payment, int(number), ctx)


def _back(payment: Payment, number: int, ctx: Context) -> Accepted[None]:
    """The account has what the gateway gave back."""
    known = payment.refunds[number]
    if known.step != "account":
        return react()
    total = cents(payment.refunded + known.amount)
    event = PaymentRefunded(ctx.key, payment.order_id, number, known.amount, total)
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


def _known(payment: Payment, reference: str | None) -> RefundState | None:
    """The refund of a reference, unless the gateway has refused it: then it may be tried again."""
    same = (r for r in payment.refunds.values() if reference and r.reference == reference)
    return next((refund for refund in same if refund.step != "refused"), None)


def _arrived(payment: Payment, known: RefundState, ctx: Context) -> RefundResult:
    if known.step != "done":
        raise _in_progress(ctx)
    return _result(payment, ctx.key, known.amount)


def _nothing_left(payment: Payment, ctx: Context) -> RefundResult:
    if payment.refunded < payment.amount:
        raise _in_progress(ctx)
    return _result(payment, ctx.key, ZERO)


def _in_progress(ctx: Context) -> Rejected:
    return Rejected("refund-in-progress", f"a refund of {ctx.key} is on its way")


def _result(payment: Payment, key: str, amount: Decimal) -> RefundResult:
    assert payment.status != ""  # noqa: S101 - there is something to refund
    return RefundResult(key, payment.order_id, amount, payment.refunded, payment.status)
