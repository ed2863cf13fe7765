"""An account: money that came from outside, went out for orders, and came back.

Its log is its statement. A closed account takes back what was debited: money never gets stuck.
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from orders.memory import remembering
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
from orders.messages.values import ZERO, cents
from orders.supervision import SUPERVISION
from wherry import Accepted, Context, Entity, Rejected, accept


@dataclass(frozen=True, slots=True)
class Booked:
    """An amount that was moved, and the balance after it."""

    amount: Decimal
    new_balance: Decimal


@dataclass(frozen=True, slots=True)
class Account:
    """The last movements that have a reference: each is done once."""

    status: str = ""
    owner: str = ""
    currency: str = ""
    balance: Decimal = ZERO
    credits: dict[str, Booked] = field(default_factory=dict)
    debits: dict[str, Booked] = field(default_factory=dict)
    returns: dict[str, Booked] = field(default_factory=dict)


LIFECYCLE = {"": ["open"], "open": ["closed"]}

account = Entity(AccountKind, Account(), lifecycle=LIFECYCLE, supervision=SUPERVISION)


# -- being an account ----------------------------------------------------------------------------


@account.handles(OpenAccount)
def open_account(account: Account, command: OpenAccount, ctx: Context) -> Accepted[None]:
    event = AccountOpened(command.owner, command.currency)
    if not account.status:
        return accept(command, event, reply=None)
    if account.status == "closed" or event != AccountOpened(account.owner, account.currency):
        raise Rejected("account-exists", f"{ctx.key} is {account.owner}'s, and {account.status}")
    return accept(command, reply=None)


@account.handles(CloseAccount)
def close(account: Account, command: CloseAccount, ctx: Context) -> Accepted[None]:
    if account.status == "closed":
        return accept(command, reply=None)
    _require_open(account, ctx)
    return accept(command, AccountClosed(), reply=None)


@account.handles(ValidateAccount)
def validate(account: Account, command: ValidateAccount, ctx: Context) -> Accepted[AccountValid]:
    _require_open(account, ctx)
    return accept(command, reply=AccountValid(ctx.key, account.currency, account.balance))


# -- money ---------------------------------------------------------------------------------------


@account.handles(CreditAccount)
def credit(account: Account, command: CreditAccount, ctx: Context) -> Accepted[Balance]:
    known = _known(account.credits, command.reference, command.amount)
    if known is not None:
        return accept(command, reply=Balance(ctx.key, known.new_balance))
    _require_open(account, ctx)
    _require_currency(account, command.currency, ctx)
    balance = cents(account.balance + command.amount)
    event = AccountCredited(
        ctx.key, cents(command.amount), command.reason, balance, command.reference or ""
    )
    return accept(command, event, reply=Balance(ctx.key, balance))


@account.handles(DebitAccount)
def debit(account: Account, command: DebitAccount, ctx: Context) -> Accepted[AccountDebited]:
    reference = command.reference or command.order_id
    known = _known(account.debits, reference, command.amount)
    if known is not None:
        again = AccountDebited(
            ctx.key, known.new_balance, known.amount, command.order_id, reference
        )
        return accept(command, reply=again)
    _require_open(account, ctx)
    _require_currency(account, command.currency, ctx)
    _require_funds(account, command.amount, ctx)
    balance = cents(account.balance - command.amount)
    event = AccountDebited(ctx.key, balance, cents(command.amount), command.order_id, reference)
    return accept(command, event, reply=event)


@account.handles(ReturnFunds, internal=True)
def take_back(account: Account, command: ReturnFunds, ctx: Context) -> Accepted[FundsReturned]:
    known = _known(account.returns, command.reference, command.amount)
    amount = cents(command.amount)
    balance = known.new_balance if known else cents(account.balance + amount)
    event = FundsReturned(ctx.key, balance, amount, command.order_id, command.reference)
    if known is not None:
        return accept(command, reply=event)
    if not account.status:
        raise Rejected("account-not-open", f"{ctx.key} was never opened")
    return accept(command, event, reply=event)


# -- what events do ------------------------------------------------------------------------------


@account.folds(AccountOpened)
def opened(account: Account, event: AccountOpened) -> Account:
    return Account("open", event.owner, event.currency)


@account.folds(AccountClosed)
def closed(account: Account, event: AccountClosed) -> Account:
    return replace(account, status="closed")


@account.folds(AccountCredited)
def credited(account: Account, event: AccountCredited) -> Account:
    if not event.reference:
        return replace(account, balance=event.new_balance)
    credits = remembering(account.credits, event.reference, _booked(event))
    return replace(account, balance=event.new_balance, credits=credits)


@account.folds(AccountDebited)
def debited(account: Account, event: AccountDebited) -> Account:
    debits = remembering(account.debits, event.reference, _booked(event))
    return replace(account, balance=event.new_balance, debits=debits)


@account.folds(FundsReturned)
def returned(account: Account, event: FundsReturned) -> Account:
    returns = remembering(account.returns, event.reference, _booked(event))
    return replace(account, balance=event.new_balance, returns=returns)


def _booked(event: AccountCredited | AccountDebited | FundsReturned) -> Booked:
    return Booked(event.amount, event.new_balance)


# -- rules ---------------------------------------------------------------------------------------


def _known(of: dict[str, Booked], reference: str | None, amount: Decimal) -> Booked | None:
    """The movement of this reference, if it was done: with another amount it is another one."""
    known = of.get(reference or "")
    if known is not None and known.amount != amount:
        raise Rejected("reference-used", f"{reference} moved {known.amount}, not {amount}")
    return known


def _require_open(account: Account, ctx: Context) -> None:
    if account.status != "open":
        raise Rejected("account-not-open", f"{ctx.key} is {account.status or 'not there'}")


def _require_currency(account: Account, currency: str | None, ctx: Context) -> None:
    if currency is not None and currency != account.currency:
        raise Rejected("currency-mismatch", f"{ctx.key} has {account.currency}, not {currency}")


def _require_funds(account: Account, amount: Decimal, ctx: Context) -> None:
    if amount > account.balance:
        raise Rejected(
            "insufficient-funds",
            f"{amount} are wanted of {ctx.key}, {account.balance} are there",
            account_id=ctx.key,
            requested=str(amount),
            balance=str(account.balance),
        )
