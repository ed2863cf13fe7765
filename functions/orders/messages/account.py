"""What an account can be told, and what happens to it. Its events are its transactions."""

from orders.messages.kinds import AccountKind
from orders.messages.values import Currency, Id, Money, Name, Reason, require_money
from wherry import Command, Event, message

# -- what happens to an account ------------------------------------------------------------------


@message
class AccountOpened(Event):
    owner: str
    currency: str


@message
class AccountCredited(Event):
    """Money came from outside."""

    account_id: str
    amount: Money
    reason: str
    new_balance: Money
    reference: str = ""


@message
class AccountDebited(Event):
    """Money went out, for an order."""

    account_id: str
    new_balance: Money
    amount: Money
    order_id: str
    reference: str


@message
class FundsReturned(Event):
    """Money that was debited for an order came back."""

    account_id: str
    new_balance: Money
    amount: Money
    order_id: str
    reference: str


@message
class AccountClosed(Event):
    pass


# -- what it can be told -------------------------------------------------------------------------


@message
class Balance:
    account_id: str
    new_balance: Money


@message
class AccountValid:
    account_id: str
    currency: str
    balance: Money


@message
class OpenAccount(Command[AccountKind, None]):
    """Open an account. The same again changes nothing."""

    owner: Name
    currency: Currency


@message
class CreditAccount(Command[AccountKind, Balance]):
    """Put money in. With a `reference`, once for each."""

    amount: Money
    reason: Reason
    currency: Currency | None = None
    reference: Id | None = None

    def __post_init__(self) -> None:
        require_money(self.amount, "amount")


@message
class DebitAccount(Command[AccountKind, AccountDebited]):
    """Take money out for an order: once for each `reference`, which is the order unless given."""

    amount: Money
    order_id: Id
    currency: Currency | None = None
    reference: Id | None = None

    def __post_init__(self) -> None:
        require_money(self.amount, "amount")


@message
class ReturnFunds(Command[AccountKind, FundsReturned]):
    """Give back what was debited: once for each reference, and to a closed account, too."""

    amount: Money
    order_id: Id
    reference: Id

    def __post_init__(self) -> None:
        require_money(self.amount, "amount")


@message
class ValidateAccount(Command[AccountKind, AccountValid]):
    """Refused as `account-not-open` unless the account can pay and be paid."""


@message
class CloseAccount(Command[AccountKind, None]):
    """Nothing more goes in or out; what was debited can still come back."""
