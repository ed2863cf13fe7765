"""What a payment can be told, and what happens to it. Its id is that of its order."""

from typing import Literal

from orders.messages.kinds import PaymentKind
from orders.messages.values import Currency, Id, Money, PaymentMethod, require_money
from wherry import Asker, Command, Event, message

PaymentStatus = Literal["Processing", "Succeeded", "Failed", "PartiallyRefunded", "Refunded"]


# -- what it can be told -------------------------------------------------------------------------


@message
class PaymentResult:
    """How a payment ended: `transaction_id` when it succeeded, `reason` when it failed."""

    payment_id: str
    order_id: str
    status: PaymentStatus
    transaction_id: str = ""
    reason: str = ""


@message
class RefundResult:
    """What one refund gave back, and what all have given back so far."""

    payment_id: str
    order_id: str
    amount: Money
    refunded: Money
    status: PaymentStatus


@message
class ProcessPayment(Command[PaymentKind, PaymentResult]):
    """Debit the account, then capture at the gateway. A payment is processed once."""

    order_id: Id
    account_id: Id
    amount: Money
    currency: Currency
    payment_method: PaymentMethod

    def __post_init__(self) -> None:
        require_money(self.amount, "amount")


@message
class RefundPayment(Command[PaymentKind, RefundResult]):
    """Give back an amount, or what is left. With a `reference`, once for each.

    What is left may be nothing, because all is back: that is no refusal. It is one as long as
    other refunds are on their way.
    """

    amount: Money | None = None
    reference: Id | None = None

    def __post_init__(self) -> None:
        if self.amount is not None:
            require_money(self.amount, "amount")


@message
class CheckPayment(Command[PaymentKind, None]):
    """The payment has waited for long: try again what has failed."""


# -- what happens to it --------------------------------------------------------------------------


@message
class PaymentRequested(Event):
    payment_id: str
    order_id: str
    account_id: str
    amount: Money
    currency: str
    payment_method: str
    asker: Asker[PaymentResult]


@message
class FundsDebited(Event):
    """The account has paid."""

    payment_id: str
    amount: Money


@message
class CaptureDeclined(Event):
    """The gateway will not take the money: what was debited goes back."""

    payment_id: str
    reason: str


@message
class CaptureUnknown(Event):
    """Nobody knows whether the gateway took the money: it is told to undo it, whatever it did."""

    payment_id: str
    reason: str


@message
class CaptureStrayed(Event):
    """The gateway has money, or may have, that nobody waits for any more: it is voided."""

    payment_id: str
    transaction_id: str


@message
class CaptureVoided(Event):
    """Now it is certain that the gateway has nothing."""

    payment_id: str


@message
class PaymentSucceeded(Event):
    payment_id: str
    order_id: str
    transaction_id: str


@message
class PaymentFailed(Event):
    payment_id: str
    order_id: str
    reason: str


@message
class RefundRequested(Event):
    payment_id: str
    number: int
    reference: str
    amount: Money
    asker: Asker[RefundResult]


@message
class RefundDone(Event):
    """The gateway has given the amount back; the account is next."""

    payment_id: str
    number: int


@message
class RefundRefused(Event):
    """The gateway has not given the amount back, and never will."""

    payment_id: str
    number: int
    reason: str


@message
class PaymentRefunded(Event):
    """A refund has arrived; `refunded` is what all have brought so far."""

    payment_id: str
    order_id: str
    number: int
    amount: Money
    refunded: Money


@message
class PaymentStepFailed(Event):
    """Something that gives money back could not be done now; it is asked again later."""

    payment_id: str
    step: str
    reason: str


@message
class PaymentChecked(Event):
    """What had failed was asked again."""

    payment_id: str
    asked: tuple[str, ...]
