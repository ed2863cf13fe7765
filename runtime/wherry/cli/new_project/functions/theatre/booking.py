"""The booking saga: hold a seat, take the money, sell the seat - or undo all of it.

A saga is a table of steps. When one is rejected, fails or comes too late, or when somebody
cancels, the steps that were done are undone, last first. An undo is computed when its step is
asked: it may use what the saga knew then, and never the reply.
"""

from dataclasses import dataclass, replace

from theatre.messages import (
    Book,
    HoldSeat,
    Pay,
    Refund,
    ReleaseSeat,
    SeatKind,
    SellSeat,
    WalletKind,
)
from wherry import Ask, Context, Saga, Tell


@dataclass(frozen=True, slots=True)
class Booking:
    """What the saga knows. Its id is the id of the booking."""

    booking_id: str
    seat: str
    wallet: str
    cents: int = 0


def start(given: Book, ctx: Context) -> Booking:
    return Booking(ctx.key, given.seat, given.wallet)


def result(booking: Booking) -> str:
    return f"{booking.seat} for {booking.cents} cents"


def hold(booking: Booking) -> Ask[SeatKind, int]:
    return Ask(SeatKind.ref(booking.seat), HoldSeat(booking.booking_id))


def keep_price(booking: Booking, cents: int) -> Booking:
    return replace(booking, cents=cents)


def release(booking: Booking) -> Tell[SeatKind]:
    return Tell(SeatKind.ref(booking.seat), ReleaseSeat(booking.booking_id))


def pay(booking: Booking) -> Ask[WalletKind, int]:
    return Ask(WalletKind.ref(booking.wallet), Pay(booking.booking_id, booking.cents))


def refund(booking: Booking) -> Tell[WalletKind]:
    return Tell(WalletKind.ref(booking.wallet), Refund(booking.booking_id))


def sell(booking: Booking) -> Ask[SeatKind, None]:
    return Ask(SeatKind.ref(booking.seat), SellSeat(booking.booking_id))


booking = Saga("booking", start=start, result=result)
booking.step("hold", hold, keep=keep_price, undo=release)
booking.step("pay", pay, undo=refund)
booking.step("sell", sell, undo=release)
