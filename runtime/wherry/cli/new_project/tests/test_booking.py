"""The whole app in memory: the same engine as in Redis, with a clock that stands still."""

from theatre import app, booking
from theatre.messages import AddSeat, Book, TopUp
from wherry.testing import World


def a_world(cents: int) -> World:
    world = World(app)
    world.send("seat/12a", AddSeat(2500))
    world.send("wallet/anna", TopUp(cents))
    return world


def test_a_booking_sells_the_seat_and_takes_the_money() -> None:
    world = a_world(cents=3000)

    done = world.start(booking, Book("12a", "anna"))

    assert (done.status, done.result) == ("completed", "12a for 2500 cents")
    assert world.state("seat/12a").status == "sold"
    assert world.state("wallet/anna").cents == 500
    world.check()


def test_who_cannot_pay_does_not_keep_the_seat() -> None:
    world = a_world(cents=100)

    undone = world.start(booking, Book("12a", "anna"))

    assert undone.status == "compensated"
    assert undone.problem is not None
    assert undone.problem.code == "not-enough-money"
    assert world.state("seat/12a").status == "free"
    assert world.state("wallet/anna").cents == 100
    world.check()
