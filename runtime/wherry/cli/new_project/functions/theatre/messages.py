"""What can be asked of seats and wallets, and what can happen to them.

This is the contract: no logic, so that any client can import it. `Command[SeatKind, int]` says
for whom a command is, and what answers it.
"""

from wherry import Command, Event, Kind, message


class SeatKind(Kind):
    name = "seat"


class WalletKind(Kind):
    name = "wallet"


# -- a seat ------------------------------------------------------------------------------------


@message
class AddSeat(Command[SeatKind, None]):
    cents: int


@message
class HoldSeat(Command[SeatKind, int]):
    """Keep the seat for a booking. Answered with its price in cents."""

    booking_id: str


@message
class SellSeat(Command[SeatKind, None]):
    booking_id: str


@message
class ReleaseSeat(Command[SeatKind, None]):
    """Undo: the seat is free again, if it is this booking that has it."""

    booking_id: str


@message
class SeatAdded(Event):
    cents: int


@message
class SeatHeld(Event):
    booking_id: str


@message
class SeatSold(Event):
    booking_id: str


@message
class SeatReleased(Event):
    booking_id: str


# -- a wallet ----------------------------------------------------------------------------------


@message
class TopUp(Command[WalletKind, int]):
    """Answered with the new balance, as are all commands of a wallet."""

    cents: int


@message
class Pay(Command[WalletKind, int]):
    booking_id: str
    cents: int


@message
class Refund(Command[WalletKind, int]):
    """Undo: give back what this booking has paid, if it has."""

    booking_id: str


@message
class ToppedUp(Event):
    cents: int


@message
class Paid(Event):
    booking_id: str
    cents: int


@message
class Refunded(Event):
    booking_id: str
    cents: int


# -- a booking ---------------------------------------------------------------------------------


@message
class Book:
    """The input of the saga."""

    seat: str
    wallet: str
