"""A seat: free, held by a booking, or sold to it.

A handler decides: it returns the events that follow from a command, or rejects the command. A
fold applies an event. Both are pure: `ctx.now` is the only clock, and nothing else is read.
"""

from dataclasses import dataclass, replace

from theatre.messages import (
    AddSeat,
    HoldSeat,
    ReleaseSeat,
    SeatAdded,
    SeatHeld,
    SeatKind,
    SeatReleased,
    SeatSold,
    SellSeat,
)
from wherry import Accepted, Context, Entity, Rejected, accept


@dataclass(frozen=True, slots=True)
class Seat:
    """A seat that nobody has added has no status."""

    status: str = ""
    cents: int = 0
    booking_id: str = ""


# Redis itself refuses to store any other change of status.
LIFECYCLE = {"": ["free"], "free": ["held"], "held": ["sold", "free"], "sold": ["free"]}

seat = Entity(SeatKind, Seat(), lifecycle=LIFECYCLE)


@seat.handles(AddSeat)
def add(seat: Seat, command: AddSeat, ctx: Context) -> Accepted[None]:
    if seat.status:
        raise Rejected("seat-exists", f"{ctx.key} costs {seat.cents} cents")
    return accept(command, SeatAdded(command.cents), reply=None)


@seat.handles(HoldSeat)
def hold(seat: Seat, command: HoldSeat, ctx: Context) -> Accepted[int]:
    if seat.status != "free":
        raise Rejected("seat-not-free", f"{ctx.key} is {seat.status or 'unknown'}")
    return accept(command, SeatHeld(command.booking_id), reply=seat.cents)


@seat.handles(SellSeat)
def sell(seat: Seat, command: SellSeat, ctx: Context) -> Accepted[None]:
    if (seat.status, seat.booking_id) != ("held", command.booking_id):
        raise Rejected("seat-not-held", f"{ctx.key} is not held by {command.booking_id}")
    return accept(command, SeatSold(command.booking_id), reply=None)


@seat.handles(ReleaseSeat)
def release(seat: Seat, command: ReleaseSeat, ctx: Context) -> Accepted[None]:
    # An undo may come for something that was never done: then it does nothing.
    if seat.booking_id != command.booking_id:
        return accept(command, reply=None)
    return accept(command, SeatReleased(command.booking_id), reply=None)


@seat.folds(SeatAdded)
def added(seat: Seat, event: SeatAdded) -> Seat:
    return Seat("free", event.cents)


@seat.folds(SeatHeld)
def held(seat: Seat, event: SeatHeld) -> Seat:
    return replace(seat, status="held", booking_id=event.booking_id)


@seat.folds(SeatSold)
def sold(seat: Seat, event: SeatSold) -> Seat:
    return replace(seat, status="sold")


@seat.folds(SeatReleased)
def released(seat: Seat, event: SeatReleased) -> Seat:
    return replace(seat, status="free", booking_id="")
