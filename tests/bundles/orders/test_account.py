"""An account: money in, money out, money back - told as given, when, then."""

from decimal import Decimal
from typing import Any

import pytest

from orders.account import Account, account
from orders.messages.account import (
    AccountClosed,
    AccountCredited,
    AccountDebited,
    AccountOpened,
    AccountValid,
    Balance,
    CloseAccount,
    CreditAccount,
    DebitAccount,
    FundsReturned,
    OpenAccount,
    ReturnFunds,
    ValidateAccount,
)
from orders.messages.kinds import AccountKind
from wherry import Command, Event
from wherry.testing import Given, given

OPENED = AccountOpened("Ann", "EUR")


def euros(amount: str) -> Decimal:
    return Decimal(amount)


HUNDRED = AccountCredited("acc", euros("100.00"), "salary", euros("100.00"))
DEBITED = AccountDebited("acc", euros("80.00"), euros("20.00"), "o1", "o1")
RETURNED = FundsReturned("acc", euros("100.00"), euros("20.00"), "o1", "payment-o1")


def anns(*events: Event) -> Given[AccountKind, Account]:
    return given(account, OPENED, HUNDRED, *events, key="acc")


def test_an_account_is_opened_for_one_owner() -> None:
    """S7 S50: the same again changes nothing."""
    done = given(account, key="acc").when(OpenAccount("Ann", "EUR"))

    done.then(OPENED)
    assert ("open", "0.00") == (done.status, str(done.state.balance))
    done.when(OpenAccount("Ann", "EUR")).then()
    done.when(OpenAccount("Bob", "EUR")).then_rejected("account-exists")
    done.when(OpenAccount("Ann", "GBP")).then_rejected("account-exists")


def test_a_credit_is_added() -> None:
    """S48 S49 S54: an event of the account's history, with the balance after it."""
    done = anns().when(CreditAccount(euros("0.5"), "found on the quay"))

    event = AccountCredited("acc", euros("0.50"), "found on the quay", euros("100.50"))
    done.then(event, reply=Balance("acc", euros("100.50")))


def test_a_credit_with_a_reference_is_added_once() -> None:
    """S106: one without is another one each time."""
    command = CreditAccount(euros("5"), "voucher", reference="v1")
    once = anns().when(command)

    assert "105.00" == str(once.when(command).then(reply=once.reply).state.balance)
    other = CreditAccount(euros("6"), "voucher", reference="v1")
    once.when(other).then_rejected("reference-used")


def test_a_debit_is_taken_once_for_an_order() -> None:
    """S53 S55 S106: the second time is answered as the first."""
    command = DebitAccount(euros("20"), "o1")
    done = anns().when(command)

    done.then(DEBITED, reply=DEBITED)
    done.when(command).then(reply=DEBITED)
    done.when(DebitAccount(euros("21"), "o1")).then_rejected("reference-used")
    assert "79.00" == str(done.when(DebitAccount(euros("1"), "o2")).state.balance)


def test_two_payments_of_one_order_are_two_debits() -> None:
    """S107: the reference is the payment, when it is given."""
    done = anns(DEBITED).when(DebitAccount(euros("20"), "o1", reference="p2"))

    assert "60.00" == str(done.state.balance)


def test_what_is_not_there_is_not_debited() -> None:
    """S56: the refusal names account, requested amount and balance."""
    refused = anns().when(DebitAccount(euros("100.01"), "o1"))

    refused.then_rejected("insufficient-funds")
    assert refused.data == {"account_id": "acc", "requested": "100.01", "balance": "100.00"}
    anns().when(DebitAccount(euros("100.00"), "o1")).reply  # noqa: B018


@pytest.mark.parametrize(
    "command",
    [
        DebitAccount(Decimal(1), "o1", "GBP"),
        CreditAccount(Decimal(1), "why not", "GBP"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_currency_that_is_named_must_fit(command: Command[AccountKind, Any]) -> None:
    anns().when(command).then_rejected("currency-mismatch")


def test_a_valid_account_says_what_it_has() -> None:
    """S51 S52: its currency and its balance."""
    anns().when(ValidateAccount()).then(reply=AccountValid("acc", "EUR", euros("100.00")))


@pytest.mark.parametrize(
    "command",
    [ValidateAccount(), CreditAccount(Decimal(1), "why not"), DebitAccount(Decimal(1), "o1"),
     CloseAccount()],
    ids=lambda command: type(command).__name__,
)  # fmt: skip
def test_an_account_that_is_not_there_does_nothing(command: Command[AccountKind, Any]) -> None:
    """S50 S52: nor does a closed one, but for being closed."""
    given(account, key="acc").when(command).then_rejected("account-not-open")
    closed = anns(AccountClosed()).when(command)
    if isinstance(command, CloseAccount):
        closed.then()
    else:
        closed.then_rejected("account-not-open")


def test_a_closed_account_is_not_opened_again() -> None:
    done = anns().when(CloseAccount())

    done.then(AccountClosed())
    assert "closed" == done.status
    done.when(OpenAccount("Ann", "EUR")).then_rejected("account-exists")


@pytest.mark.parametrize("closed", [(), (AccountClosed(),)])
def test_what_was_debited_comes_back_once(closed: tuple[Event, ...]) -> None:
    """S54 S105 S106: to a closed account as well."""
    command = ReturnFunds(euros("20.00"), "o1", "payment-o1")
    done = anns(DEBITED, *closed).when(command)

    done.then(RETURNED, reply=RETURNED)
    done.when(command).then(reply=RETURNED)
    given(account, key="acc").when(command).then_rejected("account-not-open")


def test_a_return_comes_from_payments_only() -> None:
    """S104: nobody outside can make money."""
    assert {ReturnFunds} == account.internal


def test_an_account_remembers_the_last_references_only() -> None:
    """S106: a memory for copies, which come soon; not one that grows for ever."""
    events = [
        AccountDebited("acc", euros("99.00"), euros("1.00"), f"o{n}", f"o{n}") for n in range(100)
    ]
    busy = anns(*events)

    assert 64 == len(busy.state.debits)
    assert () == busy.when(DebitAccount(euros("1.00"), "o99")).events
