"""A wallet: money that somebody has put aside, and what each booking has taken out of it."""

from dataclasses import dataclass, field, replace

from theatre.messages import Paid, Pay, Refund, Refunded, ToppedUp, TopUp, WalletKind
from wherry import Accepted, Context, Entity, Rejected, accept


@dataclass(frozen=True, slots=True)
class Wallet:
    """`payments` are by booking, so that a refund gives back that much, and once."""

    cents: int = 0
    payments: dict[str, int] = field(default_factory=dict)


wallet = Entity(WalletKind, Wallet())


@wallet.handles(TopUp)
def top_up(wallet: Wallet, command: TopUp, ctx: Context) -> Accepted[int]:
    if command.cents <= 0:
        raise Rejected("not-an-amount", f"{command.cents} cents cannot be added")
    return accept(command, ToppedUp(command.cents), reply=wallet.cents + command.cents)


@wallet.handles(Pay)
def pay(wallet: Wallet, command: Pay, ctx: Context) -> Accepted[int]:
    if command.booking_id in wallet.payments:
        return accept(command, reply=wallet.cents)
    if command.cents > wallet.cents:
        raise Rejected("not-enough-money", f"{ctx.key} has {wallet.cents} cents")
    paid = Paid(command.booking_id, command.cents)
    return accept(command, paid, reply=wallet.cents - command.cents)


@wallet.handles(Refund)
def refund(wallet: Wallet, command: Refund, ctx: Context) -> Accepted[int]:
    cents = wallet.payments.get(command.booking_id)
    if cents is None:
        return accept(command, reply=wallet.cents)
    return accept(command, Refunded(command.booking_id, cents), reply=wallet.cents + cents)


@wallet.folds(ToppedUp)
def topped_up(wallet: Wallet, event: ToppedUp) -> Wallet:
    return replace(wallet, cents=wallet.cents + event.cents)


@wallet.folds(Paid)
def paid(wallet: Wallet, event: Paid) -> Wallet:
    payments = {**wallet.payments, event.booking_id: event.cents}
    return replace(wallet, cents=wallet.cents - event.cents, payments=payments)


@wallet.folds(Refunded)
def refunded(wallet: Wallet, event: Refunded) -> Wallet:
    payments = {id_: cents for id_, cents in wallet.payments.items() if id_ != event.booking_id}
    return replace(wallet, cents=wallet.cents + event.cents, payments=payments)
