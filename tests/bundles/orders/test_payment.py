"""A payment: debit, capture, and everything that gives back - told as given, when, then."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from orders.messages.account import AccountDebited, DebitAccount, FundsReturned, ReturnFunds
from orders.messages.kinds import AccountKind, GatewayKind, PaymentKind
from orders.messages.outside import Capture, Captured, GaveBack, Refund, VoidCapture, Voided
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
    ProcessPayment,
    RefundDone,
    RefundPayment,
    RefundRefused,
    RefundRequested,
    RefundResult,
)
from orders.payment import Payment, payment
from orders.payment.asks import ask
from wherry import Asker, Event, Rejected
from wherry.testing import Failed, Given, Unknown, given

AMOUNT = Decimal("20.00")
PROCESS = ProcessPayment("o1", "acc", AMOUNT, "EUR", "card")
ACC, GATEWAY = AccountKind.ref("acc"), GatewayKind.ref("capture-o1")
ASKER: Asker[Any] = Asker("c1", "ProcessPayment", "order/o1", "ProcessPayment")

REQUESTED = PaymentRequested("o1", "o1", "acc", AMOUNT, "EUR", "card", ASKER)
DEBITED = FundsDebited("o1", AMOUNT)
SUCCEEDED = PaymentSucceeded("o1", "o1", "tx-1")
DECLINED = CaptureDeclined("o1", "card-declined")
FAILED = PaymentFailed("o1", "o1", "card-declined")


def paying(*events: Event) -> Given[PaymentKind, Payment]:
    return given(payment, REQUESTED, *events, key="o1")


def paid(*events: Event) -> Given[PaymentKind, Payment]:
    return paying(DEBITED, SUCCEEDED, *events)


def refund(amount: str, number: int = 1, reference: str = "r1") -> RefundRequested:
    return RefundRequested("o1", number, reference, Decimal(amount), ASKER)


def refunded(amount: str, total: str, number: int = 1) -> PaymentRefunded:
    return PaymentRefunded("o1", "o1", number, Decimal(amount), Decimal(total))


def returns(amount: str, reference: str) -> FundsReturned:
    return FundsReturned("acc", Decimal("1.00"), Decimal(amount), "o1", reference)


# -- processing ----------------------------------------------------------------------------------


def test_a_payment_first_debits_the_account() -> None:
    """S6 S39 S42 S53: the reply comes when all is done."""
    done = given(payment, key="o1").when(PROCESS)

    assert done.replies_later
    assert ("Processing", "debit") == (done.status, done.state.step)
    assert done.sent == [("account/acc", DebitAccount(AMOUNT, "o1", "EUR", "o1"))]


def test_then_it_captures_at_the_gateway_with_a_key_of_its_own() -> None:
    """S41 S55: whoever tries again, the gateway knows the call."""
    answer = AccountDebited("acc", Decimal("80.00"), AMOUNT, "o1", "o1")
    done = paying().answered(ACC, DebitAccount, answer)

    done.then(DEBITED)
    assert done.sent == [("gateway/capture-o1", Capture("o1", AMOUNT, "EUR", "card"))]


def test_a_capture_is_a_payment_that_succeeded() -> None:
    """S43: stored, and told to who waits."""
    done = paying(DEBITED).answered(GATEWAY, Capture, Captured("tx-1"))

    done.then(SUCCEEDED)
    assert done.told_late == [_told(PaymentResult("o1", "o1", "Succeeded", "tx-1"))]
    assert ("Succeeded", "tx-1") == (done.status, done.state.transaction_id)


def _told(result: PaymentResult | RefundResult) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(result))
    return told


def test_an_account_that_refuses_is_a_payment_that_failed() -> None:
    """S44 S56: nothing was taken, so nothing goes back."""
    refused = Rejected("insufficient-funds", "too little")
    done = paying().answered(ACC, DebitAccount, refused)

    done.then(PaymentFailed("o1", "o1", "insufficient-funds"))
    assert [] == done.sent
    assert done.told_late[0]["reason"] == "insufficient-funds"


def test_a_card_that_is_declined_gives_the_debit_back_first() -> None:
    """S44 S105: only then anybody is told."""
    declined = paying(DEBITED).answered(GATEWAY, Capture, Rejected("card-declined"))

    declined.then(DECLINED)
    assert [] == declined.told_late
    assert declined.sent == [("account/acc", ReturnFunds(AMOUNT, "o1", "payment-o1"))]

    failed = declined.answered(ACC, ReturnFunds, returns("20", "payment-o1"), carry="return")
    failed.then(FAILED)
    assert failed.told_late == [_told(PaymentResult("o1", "o1", "Failed", "", "card-declined"))]


def test_a_capture_that_was_given_up_is_like_one_that_was_declined() -> None:
    """S40 S44: certainly not done."""
    paying(DEBITED).answered(GATEWAY, Capture, Failed("gave-up")).then(
        CaptureDeclined("o1", "gave-up")
    )


def test_a_capture_nobody_knows_of_is_undone_before_the_debit_goes_back() -> None:
    """S41 S44: the void has its own key, and names the capture's."""
    unknown = paying(DEBITED).answered(GATEWAY, Capture, Unknown())

    unknown.then(CaptureUnknown("o1", "outcome-unknown"))
    assert unknown.sent == [("gateway/void-o1", VoidCapture("capture-o1"))]
    void = GatewayKind.ref("void-o1")
    unknown.answered(void, VoidCapture, Unknown("x")).then(PaymentStepFailed("o1", "void", "x"))
    voided = unknown.answered(void, VoidCapture, Voided(found=True))
    voided.then(CaptureVoided("o1"))
    assert voided.sent == [("account/acc", ReturnFunds(AMOUNT, "o1", "payment-o1"))]


PROCESSED: list[tuple[tuple[Event, ...], PaymentStatus]] = [
    ((), "Processing"),
    ((DEBITED,), "Processing"),
    ((DEBITED, SUCCEEDED), "Succeeded"),
    ((DEBITED, DECLINED, FAILED), "Failed"),
    ((DEBITED, SUCCEEDED, refund("5"), refunded("5", "5")), "PartiallyRefunded"),
    ((DEBITED, SUCCEEDED, refund("20"), refunded("20", "20.00")), "Refunded"),
]


@pytest.mark.parametrize(("events", "status"), PROCESSED)
def test_a_payment_is_processed_once(events: tuple[Event, ...], status: PaymentStatus) -> None:
    """S46 S47 S107: PaymentAlreadyProcessed, with what became of it; nothing is charged."""
    again = paying(*events).when(PROCESS).then_rejected("payment-already-processed")

    assert () == again.sends
    paid_ = status not in {"Processing", "Failed"}
    assert again.data == {
        "payment_id": "o1", "order_id": "o1", "status": status,
        "transaction_id": "tx-1" if paid_ else "",
        "reason": "card-declined" if status == "Failed" else "",
    }  # fmt: skip


@pytest.mark.parametrize(("events", "status"), PROCESSED[2:])
def test_answers_that_come_again_change_nothing(
    events: tuple[Event, ...], status: PaymentStatus
) -> None:
    """S106: nor does an answer that says something else."""
    found = paying(*events)
    debited = AccountDebited("acc", Decimal("80.00"), AMOUNT, "o1", "o1")
    answers: list[tuple[Any, Any, Any]] = [
        (ACC, DebitAccount, debited),
        (ACC, DebitAccount, Rejected("insufficient-funds")),
        (GATEWAY, Capture, Captured("tx-2")),
        (GATEWAY, Capture, Unknown()),
        (GATEWAY, VoidCapture, Voided(found=True)),
    ]
    if status == "Failed":
        answers = [answer for answer in answers if answer[1] is not Capture]
    for of, command, answer in answers:
        again = found.answered(of, command, answer).then()
        assert ((), ()) == (again.sends, again.late)
    assert ("", status) == (found.state.step, found.status)


@pytest.mark.parametrize("events", [(DECLINED,), (DECLINED, FAILED)])
@pytest.mark.parametrize(("outcome", "tx"), [(Captured("tx-2"), "tx-2"), (Unknown(), "")])
def test_money_that_the_gateway_took_after_all_is_voided(
    events: tuple[Event, ...], outcome: Any, tx: str
) -> None:
    """S41 S105: one answer said that it was not done, another that it was, or may have been."""
    found = paying(DEBITED, *events).answered(GATEWAY, Capture, outcome)

    found.then(CaptureStrayed("o1", tx))
    assert found.sent == [("gateway/void-o1", VoidCapture("capture-o1"))]
    void = GatewayKind.ref("void-o1")
    found.answered(void, VoidCapture, Failed("x")).then(PaymentStepFailed("o1", "void", "x"))
    done = found.answered(void, VoidCapture, Voided(found=True)).then(CaptureVoided("o1"))
    assert [] == done.sent
    done.answered(void, VoidCapture, Voided(found=True)).then()


def test_a_debit_that_is_done_after_all_goes_back() -> None:
    """S105: an operator has retried the message of a payment that had failed."""
    failed = paying(PaymentFailed("o1", "o1", "handler-failed"))
    late = failed.answered(
        ACC, DebitAccount, AccountDebited("acc", Decimal("80.00"), AMOUNT, "o1", "o1")
    )

    late.then(DEBITED)
    assert late.sent == [("account/acc", ReturnFunds(AMOUNT, "o1", "payment-o1"))]
    late.answered(ACC, ReturnFunds, returns("20", "payment-o1"), carry="return").then()


# -- refunds -------------------------------------------------------------------------------------


def test_a_refund_goes_through_the_gateway_and_then_to_the_account() -> None:
    """S45: in full, when no amount is named."""
    asked = paid().when(RefundPayment(), id="c7")
    assert asked.replies_later
    assert asked.sent == [("gateway/refund-o1-1", Refund("tx-1", AMOUNT, "EUR"))]

    gateway = GatewayKind.ref("refund-o1-1")
    back = asked.answered(gateway, Refund, GaveBack("re-1"), carry=1)
    back.then(RefundDone("o1", 1))
    assert back.sent == [("account/acc", ReturnFunds(AMOUNT, "o1", "refund-o1-1"))]

    there = back.answered(ACC, ReturnFunds, returns("20", "refund-o1-1"), carry="account:1")
    there.then(refunded("20.00", "20.00"))
    assert "Refunded" == there.status
    assert there.told_late == [_told(RefundResult("o1", "o1", AMOUNT, AMOUNT, "Refunded"))]


def test_refunds_in_parts_add_up() -> None:
    """S45: each has its own number, and those under way count."""
    part = paid(refund("5"), refunded("5.00", "5.00"))
    assert "PartiallyRefunded" == part.status

    second = part.when(RefundPayment(Decimal(10)), id="c8")
    assert second.sent == [("gateway/refund-o1-2", Refund("tx-1", Decimal("10.00"), "EUR"))]
    refused = second.when(RefundPayment(Decimal("5.01"))).then_rejected("refund-exceeds-payment")
    assert refused.data == {"payment_id": "o1", "requested": "5.01", "left": "5.00"}
    rest = second.when(RefundPayment(), id="c9")
    assert rest.sent == [("gateway/refund-o1-3", Refund("tx-1", Decimal("5.00"), "EUR"))]


def test_when_nothing_is_left_the_rest_is_nothing() -> None:
    """S45 S106: who wants all back and has it, is told so."""
    done = paid(refund("20"), refunded("20.00", "20.00")).when(RefundPayment())

    done.then(reply=RefundResult("o1", "o1", Decimal("0.00"), AMOUNT, "Refunded"))


@pytest.mark.parametrize("events", [(), (DEBITED,), (DEBITED, DECLINED, FAILED)])
def test_what_was_not_captured_is_not_refunded(events: tuple[Event, ...]) -> None:
    for command in (RefundPayment(), RefundPayment(Decimal("0.01"))):
        paying(*events).when(command).then_rejected("refund-exceeds-payment")
    given(payment, key="o1").when(RefundPayment()).then_rejected("refund-exceeds-payment")


def test_while_others_are_on_their_way_the_rest_is_not_known() -> None:
    """S45 S105: they may yet be refused, so nobody is told that all is back."""
    waiting = paid(refund("20"))
    waiting.when(RefundPayment()).then_rejected("refund-in-progress")

    refused = paid(refund("20"), RefundRefused("o1", 1, "closed")).when(RefundPayment())
    assert refused.sent == [("gateway/refund-o1-2", Refund("tx-1", AMOUNT, "EUR"))]


def test_a_refund_with_a_reference_is_done_once() -> None:
    """S106: while it is on its way, and when it has arrived."""
    paid(refund("5")).when(RefundPayment(reference="r1")).then_rejected("refund-in-progress")
    arrived = paid(refund("5"), refunded("5.00", "5.00"))
    arrived.when(RefundPayment(Decimal(5), "r1")).then(
        reply=RefundResult("o1", "o1", Decimal(5), Decimal("5.00"), "PartiallyRefunded")
    )


def test_a_refund_that_the_gateway_refuses_can_be_asked_for_again() -> None:
    """S45: under another number, since the gateway remembers the first."""
    gateway = GatewayKind.ref("refund-o1-1")
    refused = paid(refund("5")).answered(gateway, Refund, Rejected("closed"), carry=1)
    refused.then(RefundRefused("o1", 1, "closed"))
    assert "refund-refused" == refused.told_late[0].code

    again = refused.when(RefundPayment(reference="r1"))
    assert again.sent == [("gateway/refund-o1-2", Refund("tx-1", AMOUNT, "EUR"))]


def test_refunds_that_come_again_change_nothing() -> None:
    """S106: answers of the gateway and of the account."""
    gateway = GatewayKind.ref("refund-o1-1")
    arrived = paid(refund("5"), RefundDone("o1", 1), refunded("5.00", "5.00"))

    arrived.answered(gateway, Refund, GaveBack("re-1"), carry=1).then()
    arrived.answered(ACC, ReturnFunds, returns("5", "refund-o1-1"), carry="account:1").then()


@pytest.mark.parametrize(
    ("events", "step"),
    [
        ((DEBITED, DECLINED), "return"),
        ((DEBITED, CaptureUnknown("o1", "x")), "void"),
        ((DEBITED, SUCCEEDED, refund("5")), "gateway:1"),
        ((DEBITED, SUCCEEDED, refund("5"), RefundDone("o1", 1)), "account:1"),
    ],
)
def test_what_gives_back_and_fails_is_asked_again(events: tuple[Event, ...], step: str) -> None:
    """S40 S105 S110: after the receive time-out; the account or the gateway may be there again."""
    assert payment.receive_timeout is not None
    waiting = paying(*events, PaymentStepFailed("o1", step, "handler-failed"))
    assert payment.receive_timeout.waiting(waiting.state)

    checked = waiting.when(CheckPayment())

    checked.then(PaymentChecked("o1", (step,)))
    assert checked.sends == (ask(waiting.state, "o1", step),)
    assert not payment.receive_timeout.waiting(checked.state)
    checked.when(CheckPayment()).then()


@pytest.mark.parametrize("outcome", [Failed("x"), Unknown("x"), Rejected("x")])
def test_a_return_that_does_not_work_is_remembered(outcome: Any) -> None:
    """S105: whatever the reason."""
    found = paying(DEBITED, DECLINED).answered(ACC, ReturnFunds, outcome, carry="return")

    found.then(PaymentStepFailed("o1", "return", "x"))


@pytest.mark.parametrize("outcome", [Failed("x"), Unknown("x")])
def test_a_refund_whose_outcome_is_open_is_asked_for_again(outcome: Any) -> None:
    """S105: with the same key, so that it is done once."""
    gateway = GatewayKind.ref("refund-o1-1")
    found = paid(refund("5")).answered(gateway, Refund, outcome, carry=1)

    found.then(PaymentStepFailed("o1", "gateway:1", "x"))


def test_a_step_that_there_is_not_is_an_error() -> None:
    with pytest.raises(ValueError, match="no step"):
        ask(Payment(), "o1", "dance")
