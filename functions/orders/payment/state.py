"""What a payment is, and what its events do to it."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from orders import settings
from orders.messages.kinds import PaymentKind
from orders.messages.payment import (
    CaptureDeclined,
    CaptureStrayed,
    CaptureUnknown,
    CaptureVoided,
    CheckPayment,
    FundsDebited,
    PaymentChecked,
    PaymentFailed,
    PaymentRefunded,
    PaymentRequested,
    PaymentResult,
    PaymentStatus,
    PaymentStepFailed,
    PaymentSucceeded,
    RefundDone,
    RefundRefused,
    RefundRequested,
    RefundResult,
)
from orders.messages.values import ZERO
from orders.supervision import SUPERVISION
from wherry import Asker, Entity, ReceiveTimeout

CAPTURED = ("Succeeded", "PartiallyRefunded", "Refunded")


@dataclass(frozen=True, slots=True)
class RefundState:
    """One refund: first the gateway gives back, then the account is credited."""

    reference: str
    amount: Decimal
    step: Literal["gateway", "account", "done", "refused"]
    asker: Asker[RefundResult]


@dataclass(frozen=True, slots=True)
class Payment:
    """`step` is what it waits for while it is processed; `refunds` are numbered from 1.

    `strayed`: the gateway has money that was given up, and is asked to void it.
    `again` names steps that failed and must not: they are asked again after a while.
    """

    status: Literal[""] | PaymentStatus = ""
    step: Literal["", "debit", "capture", "void", "return"] = ""
    order_id: str = ""
    account_id: str = ""
    amount: Decimal = ZERO
    currency: str = ""
    payment_method: str = ""
    debited: bool = False
    strayed: bool = False
    transaction_id: str = ""
    reason: str = ""
    refunded: Decimal = ZERO
    refunds: dict[int, RefundState] = field(default_factory=dict)
    again: tuple[str, ...] = ()
    asker: Asker[PaymentResult] | None = None

    @property
    def left(self) -> Decimal:
        """What can still be refunded: refunds that are under way count as done."""
        if self.status not in CAPTURED:
            return ZERO
        taken = (r.amount for r in self.refunds.values() if r.step != "refused")
        return self.amount - sum(taken, ZERO)


LIFECYCLE = {
    "": ["Processing"],
    "Processing": ["Succeeded", "Failed"],
    "Succeeded": ["PartiallyRefunded", "Refunded"],
    "PartiallyRefunded": ["Refunded"],
}

payment = Entity(
    PaymentKind,
    Payment(),
    lifecycle=LIFECYCLE,
    placed_with=lambda key: f"order/{key}",
    receive_timeout=ReceiveTimeout(
        settings.RECEIVE_TIMEOUT, CheckPayment(), waiting=lambda payment: bool(payment.again)
    ),
    supervision=SUPERVISION,
)


# -- processing ----------------------------------------------------------------------------------


@payment.folds(PaymentRequested)
def requested(payment: Payment, event: PaymentRequested) -> Payment:
    return Payment(
        "Processing",
        "debit",
        event.order_id,
        event.account_id,
        event.amount,
        event.currency,
        event.payment_method,
        asker=event.asker,
    )


@payment.folds(FundsDebited)
def debited(payment: Payment, event: FundsDebited) -> Payment:
    step = payment.step if payment.status == "Failed" else "capture"
    return replace(payment, step=step, debited=True)


@payment.folds(CaptureDeclined)
def declined(payment: Payment, event: CaptureDeclined) -> Payment:
    return replace(payment, step="return", reason=event.reason)


@payment.folds(CaptureUnknown)
def unknown(payment: Payment, event: CaptureUnknown) -> Payment:
    return replace(payment, step="void", reason=event.reason)


@payment.folds(CaptureStrayed)
def strayed(payment: Payment, event: CaptureStrayed) -> Payment:
    return replace(payment, strayed=True)


@payment.folds(CaptureVoided)
def voided(payment: Payment, event: CaptureVoided) -> Payment:
    step = "return" if payment.step == "void" else payment.step
    return replace(payment, step=step, strayed=False)


@payment.folds(PaymentSucceeded)
def succeeded(payment: Payment, event: PaymentSucceeded) -> Payment:
    return replace(
        payment, status="Succeeded", step="", transaction_id=event.transaction_id, asker=None
    )


@payment.folds(PaymentFailed)
def failed(payment: Payment, event: PaymentFailed) -> Payment:
    return replace(payment, status="Failed", step="", reason=event.reason, asker=None)


# -- refunds -------------------------------------------------------------------------------------


@payment.folds(RefundRequested)
def refund_requested(payment: Payment, event: RefundRequested) -> Payment:
    refund = RefundState(event.reference, event.amount, "gateway", event.asker)
    return replace(payment, refunds={**payment.refunds, event.number: refund})


@payment.folds(RefundDone)
def refund_done(payment: Payment, event: RefundDone) -> Payment:
    return _at(payment, event.number, "account")


@payment.folds(RefundRefused)
def refund_refused(payment: Payment, event: RefundRefused) -> Payment:
    return _at(payment, event.number, "refused")


@payment.folds(PaymentRefunded)
def refunded(payment: Payment, event: PaymentRefunded) -> Payment:
    status: PaymentStatus = "PartiallyRefunded"
    if event.refunded == payment.amount:
        status = "Refunded"
    moved = _at(payment, event.number, "done")
    return replace(moved, status=status, refunded=event.refunded)


def _at(payment: Payment, number: int, step: Literal["account", "done", "refused"]) -> Payment:
    refund = replace(payment.refunds[number], step=step)
    return replace(payment, refunds={**payment.refunds, number: refund})


# -- what is asked again -------------------------------------------------------------------------


@payment.folds(PaymentStepFailed)
def step_failed(payment: Payment, event: PaymentStepFailed) -> Payment:
    others = (step for step in payment.again if step != event.step)
    return replace(payment, again=(*others, event.step))


@payment.folds(PaymentChecked)
def checked(payment: Payment, event: PaymentChecked) -> Payment:
    return replace(payment, again=tuple(s for s in payment.again if s not in event.asked))
