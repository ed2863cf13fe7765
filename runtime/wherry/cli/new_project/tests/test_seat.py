"""One entity at a time: given(events).when(command).then(events, reply). No Redis is needed."""

from theatre import seat
from theatre.messages import HoldSeat, ReleaseSeat, SeatAdded, SeatHeld, SeatReleased
from wherry.testing import given

ADDED = SeatAdded(2500)
HELD = SeatHeld("b1")


def test_a_free_seat_can_be_held_and_says_what_it_costs() -> None:
    given(seat, ADDED).when(HoldSeat("b1")).then(HELD, reply=2500)


def test_a_seat_is_held_by_one_booking_at_a_time() -> None:
    given(seat, ADDED, HELD).when(HoldSeat("b2")).then_rejected("seat-not-free")


def test_only_the_booking_that_holds_a_seat_releases_it() -> None:
    given(seat, ADDED, HELD).when(ReleaseSeat("b2")).then()
    given(seat, ADDED, HELD).when(ReleaseSeat("b1")).then(SeatReleased("b1"))
