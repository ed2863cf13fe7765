"""Processing a payment: debit, capture, and the way back when one of them does not work."""

from orders.messages.account import AccountDebited, DebitAccount
from orders.messages.outside import Capture, Captured, VoidCapture, Voided
from orders.messages.payment import (
    CaptureDeclined,
    CaptureStrayed,
    CaptureUnknown,
    CaptureVoided,
    FundsDebited,
    PaymentFailed,
    PaymentRequested,
    PaymentResult,
    PaymentStepFailed,
    PaymentSucceeded,
    ProcessPayment,
)
from orders.messages.values import cents, require_short_id
from orders.payment.asks import ask
from orders.payment.state import CAPTURED, Payment, payment, requested
from wherry import Accepted, Answered, Context, Event, Rejected, later, react, reply_to


@payment.handles(ProcessPayment)
def process(payment: Payment, command: ProcessPayment, ctx: Context) -> Accepted[PaymentResult]:
    if payment.status:
        raise _processed_already(payment, ctx)
    require_short_id(ctx.key)
    event = PaymentRequested(
        ctx.key,
        command.order_id,
        command.account_id,
        cents(command.amount),
        command.currency,
        command.payment_method,
        ctx.asker(command),
    )
    return later(command, event, sends=(ask(requested(payment, event), ctx.key, "debit"),))


@payment.answers(DebitAccount)
def debited(payment: Payment, answer: Answered[AccountDebited], ctx: Context) -> Accepted[None]:
    if answer.done:
        return _paid(payment, ctx)
    return _failed(payment, answer.code, ctx) if payment.step == "debit" else react()


@payment.answers(Capture)
def captured(payment: Payment, answer: Answered[Captured], ctx: Context) -> Accepted[None]:
    if payment.step != "capture":
        return _captured_late(payment, answer, ctx)
    reason = answer.code or answer.outcome
    match answer.outcome:
        case "done":
            return _succeeded(payment, answer.reply.transaction_id, ctx)
        case "unknown":
            # The gateway may have the money. A refund would need to know its transaction; a void
            # does not, and it stops a capture that is still on its way. It is tried for ever:
            # until it is done, nobody may be told that the payment has failed.
            return react(CaptureUnknown(ctx.key, reason), sends=(ask(payment, ctx.key, "void"),))
        case _:
            return react(CaptureDeclined(ctx.key, reason), sends=(ask(payment, ctx.key, "return"),))


def _captured_late(payment: Payment, answer: Answered[Captured], ctx: Context) -> Accepted[None]:
    """A copy says what is known - or that the gateway took money that was given up."""
    known = payment.status in CAPTURED or payment.step == "void"
    if known or answer.outcome not in {"done", "unknown"}:
        return react()
    strayed = CaptureStrayed(ctx.key, answer.reply.transaction_id if answer.done else "")
    return react(strayed, sends=(ask(payment, ctx.key, "void"),))


@payment.answers(VoidCapture)
def voided(payment: Payment, answer: Answered[Voided], ctx: Context) -> Accepted[None]:
    if payment.step != "void" and not payment.strayed:
        return react()
    if not answer.done:
        return react(PaymentStepFailed(ctx.key, "void", answer.code or answer.outcome))
    sends = (ask(payment, ctx.key, "return"),) if payment.step == "void" else ()
    return react(CaptureVoided(ctx.key), sends=sends)


def returned(payment: Payment, ctx: Context) -> Accepted[None]:
    """The account has back what was debited."""
    return _failed(payment, payment.reason, ctx) if payment.step == "return" else react()


def _paid(payment: Payment, ctx: Context) -> Accepted[None]:
    if payment.debited:
        return react()
    event = FundsDebited(ctx.key, payment.amount)
    # A debit that was given up can be done all the same: by an operator who retries it.
    step = "capture" if payment.step == "debit" else "return"
    return react(event, sends=(ask(payment, ctx.key, step),))


def _succeeded(payment: Payment, transaction_id: str, ctx: Context) -> Accepted[None]:
    event = PaymentSucceeded(ctx.key, payment.order_id, transaction_id)
    return _end(
        payment, event, PaymentResult(ctx.key, payment.order_id, "Succeeded", transaction_id)
    )


def _failed(payment: Payment, reason: str, ctx: Context) -> Accepted[None]:
    event = PaymentFailed(ctx.key, payment.order_id, reason or "failed")
    result = PaymentResult(ctx.key, payment.order_id, "Failed", reason=event.reason)
    return _end(payment, event, result)


def _end(payment: Payment, event: Event, result: PaymentResult) -> Accepted[None]:
    assert payment.asker is not None  # noqa: S101 - it is there until the payment has ended
    return react(event, answers=(reply_to(payment.asker, result),))


def _processed_already(payment: Payment, ctx: Context) -> Rejected:
    """Whoever asks again learns how it stands, and nothing is charged twice."""
    return Rejected(
        "payment-already-processed",
        f"{ctx.key} is {payment.status}",
        payment_id=ctx.key,
        order_id=payment.order_id,
        status=payment.status,
        transaction_id=payment.transaction_id,
        reason=payment.reason,
    )
