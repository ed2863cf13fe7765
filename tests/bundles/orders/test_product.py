"""A product: stock, holds that end by the clock, sales - told as given, when, then."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from orders.messages.kinds import ProductKind
from orders.messages.product import (
    CheckAvailability,
    ExpireHold,
    ItemsAvailable,
    ItemsReserved,
    ItemsRestocked,
    ItemsSold,
    ProductRegistered,
    RegisterProduct,
    ReleaseReservation,
    ReservationExpired,
    ReservationReleased,
    ReserveItems,
    RestockItems,
    SellItems,
    StockLevel,
    StockUpdated,
    UpdateStock,
)
from orders.product import Hold, Product, product
from tests.support.books import Log
from tests.support.ledger import wrong
from wherry import Command, Event, StartTimer, StopTimer
from wherry.testing import START, Given, given

HOLD = timedelta(minutes=30)
END = START + HOLD
REGISTERED = ProductRegistered("Tea", Decimal("2.50"), "EUR")
STOCKED = StockUpdated(10)
O1 = ItemsReserved("o1", "o1", "tea", 4, END)
SOLD = ItemsSold("o1", 4)


def tea(*events: Event) -> Given[ProductKind, Product]:
    return given(product, REGISTERED, STOCKED, *events, key="tea")


def test_a_product_is_registered_with_a_price() -> None:
    """S8 S57: the same again changes nothing; something else is refused."""
    done = given(product, key="tea").when(RegisterProduct("Tea", Decimal("2.5"), "EUR"))

    done.then(REGISTERED)
    assert ("registered", "2.50") == (done.status, str(done.state.price))
    done.when(RegisterProduct("Tea", Decimal("2.50"), "EUR")).then()
    for other in (("Tee", "2.50", "EUR"), ("Tea", "2.51", "EUR"), ("Tea", "2.50", "GBP")):
        again = RegisterProduct(other[0], Decimal(other[1]), other[2])
        done.when(again).then_rejected("already-registered")


@pytest.mark.parametrize(
    "command",
    [
        UpdateStock(1), CheckAvailability(1), ReserveItems("o1", 1), ReleaseReservation("o1"),
        SellItems("o1", 1), RestockItems("o1", 1),
    ],
    ids=lambda command: type(command).__name__,
)  # fmt: skip
def test_what_is_not_in_the_catalog_is_unknown(command: Command[ProductKind, Any]) -> None:
    given(product, key="tea").when(command).then_rejected("unknown-product")


@pytest.mark.parametrize(
    "command",
    [
        RegisterProduct("", Decimal(1), "EUR"), RegisterProduct("Tea", Decimal(1), "eur"),
        RegisterProduct("Tea", Decimal(1), "EURO"), UpdateStock(-1), CheckAvailability(0),
        CheckAvailability(1_000_001), ReserveItems("o:1", 1), ReserveItems("o1", 0),
    ],
    ids=repr,
)  # fmt: skip
def test_the_contract_has_limits(command: Command[ProductKind, Any]) -> None:
    """S130: quantities, currencies and ids are what they can be."""
    tea().when(command).then_rejected("invalid")


def test_stock_is_what_lies_there_beside_what_is_held() -> None:
    """S59 S67: absolute, so the same twice is once."""
    updated = tea(O1).when(UpdateStock(20))

    updated.then(StockUpdated(20), reply=StockLevel("tea", 20, 4, 0))
    updated.when(UpdateStock(20)).then(reply=StockLevel("tea", 20, 4, 0))


def test_who_asks_is_told_the_price() -> None:
    """S60 S61: asking stores nothing."""
    tea().when(CheckAvailability(10)).then(
        reply=ItemsAvailable("tea", 10, 10, Decimal("2.50"), "EUR")
    )


def test_what_is_not_there_in_such_numbers_is_unavailable() -> None:
    """S62: the refusal says how many were wanted and how many are there, and the price."""
    commands: list[Command[ProductKind, Any]] = [CheckAvailability(7), ReserveItems("o2", 7)]
    for command in commands:
        refused = tea(O1).when(command).then_rejected("items-unavailable")
        assert refused.data == {
            "product_id": "tea", "requested": 7, "available": 6, "price": "2.50", "currency": "EUR"
        }  # fmt: skip


def test_items_are_held_for_half_an_hour() -> None:
    """S58 S63 S64: they are not there for anybody else, until a timer ends it."""
    done = tea().when(ReserveItems("o1", 4))

    done.then(O1, reply=O1)
    assert (6, 4, 0) == (done.state.on_hand, done.state.reserved, done.state.sold)
    assert done.state.reservations == {"o1": Hold(4, END)}
    assert done.timers == (StartTimer("hold:o1", END, ExpireHold("o1", END)),)


def test_how_long_may_be_said() -> None:
    done = tea().when(ReserveItems("o1", 4, timedelta(minutes=1)))

    assert done.reply.expires_at == START + timedelta(minutes=1)
    for seconds in (0, -1, 8 * 24 * 3600):
        with pytest.raises(ValueError, match="hold_for"):
            ReserveItems("o1", 4, timedelta(seconds=seconds))


def test_the_same_reservation_twice_is_one() -> None:
    """S106: another number is refused."""
    tea(O1).when(ReserveItems("o1", 4)).then(reply=O1)
    tea(O1).when(ReserveItems("o1", 5)).then_rejected("already-reserved")


@pytest.mark.parametrize(
    "ended",
    [ReservationReleased("o1", 4), ReservationExpired("o1", 4), SOLD],
    ids=lambda event: type(event).__name__,
)
def test_a_late_copy_of_a_reservation_holds_nothing(ended: Event) -> None:
    """S106: the order has had its reservation."""
    tea(O1, ended).when(ReserveItems("o1", 4)).then_rejected("reservation-ended")


def test_a_release_gives_everything_back_once() -> None:
    """S65 S66 S106: the second time there is nothing to give."""
    done = tea(O1).when(ReleaseReservation("o1"))

    back = ReservationReleased("o1", 4)
    done.then(back, reply=back)
    assert (10, 0, 0) == (done.state.on_hand, done.state.reserved, done.state.sold)
    assert done.timers == (StopTimer("hold:o1"),)
    done.when(ReleaseReservation("o1")).then(reply=ReservationReleased("o1", 0))


def test_a_hold_ends_by_its_timer() -> None:
    """S58: also when nobody asks for it."""
    tea(O1).at(END).when(ExpireHold("o1", END)).then(ReservationExpired("o1", 4))
    tea(O1).at(END).when(ExpireHold("o1", START)).then()
    tea().at(END).when(ExpireHold("o1", END)).then()


def test_a_hold_ends_by_the_clock_and_not_by_the_timer() -> None:
    """S58: who wants what has ended gets it, though the timer is late."""
    full = tea(ItemsReserved("o1", "o1", "tea", 10, END)).at(END)

    full.when(CheckAvailability(10)).then(
        reply=ItemsAvailable("tea", 10, 10, Decimal("2.50"), "EUR")
    )
    until = END + HOLD
    full.when(ReserveItems("o2", 10)).then(
        ReservationExpired("o1", 10), ItemsReserved("o2", "o2", "tea", 10, until)
    )
    full.when(ReserveItems("o1", 10)).then_rejected("reservation-ended")
    full.when(SellItems("o1", 10)).then_rejected("reservation-lost")


def test_what_is_held_is_sold_once() -> None:
    """S57 S106: the second time is answered as the first."""
    done = tea(O1).when(SellItems("o1", 4))

    done.then(SOLD, reply=SOLD)
    assert (6, 0, 4) == (done.state.on_hand, done.state.reserved, done.state.sold)
    assert done.timers == (StopTimer("hold:o1"),)
    done.when(SellItems("o1", 4)).then(reply=SOLD)


def test_what_is_not_held_is_not_sold() -> None:
    """S35: never held, released, or held in another number."""
    tea().when(SellItems("o1", 4)).then_rejected("reservation-lost")
    tea(O1).when(SellItems("o1", 5)).then_rejected("reservation-lost")
    released = tea(O1, ReservationReleased("o1", 4))
    released.when(SellItems("o1", 4)).then_rejected("reservation-lost")


def test_what_was_sold_comes_back_once() -> None:
    """S105 S106: the second time is answered as the first."""
    done = tea(O1, SOLD).when(RestockItems("o1", 4))

    back = ItemsRestocked("o1", 4)
    done.then(back, reply=back)
    assert (10, 0, 0) == (done.state.on_hand, done.state.reserved, done.state.sold)
    done.when(RestockItems("o1", 4)).then(reply=back)
    tea(O1).when(RestockItems("o1", 4)).then_rejected("not-sold")


def test_a_product_remembers_the_last_orders_only() -> None:
    """S106: a memory for copies, which come soon; not one that grows for ever."""
    events = [
        event
        for n in range(100)
        for event in (
            ItemsReserved(f"o{n}", f"o{n}", "tea", 1, END), ReservationReleased(f"o{n}", 1)
        )
    ]  # fmt: skip
    busy = tea(*events)

    assert 64 == len(busy.state.ended)
    busy.when(ReserveItems("o99", 1)).then_rejected("reservation-ended")


acts = st.one_of(
    st.builds(ReserveItems, st.sampled_from(["o1", "o2", "o3"]), st.integers(1, 6)),
    st.builds(ReleaseReservation, st.sampled_from(["o1", "o2", "o3"])),
    st.builds(SellItems, st.sampled_from(["o1", "o2", "o3"]), st.integers(1, 6)),
    st.builds(UpdateStock, st.integers(0, 12)),
    st.integers(0, 40).map(lambda minutes: timedelta(minutes=minutes)),
)


@forall(st.lists(acts, max_size=40))
def test_whatever_is_asked_no_item_appears_or_disappears(
    asked: list[Command[ProductKind, Any] | timedelta],
) -> None:
    """S57 S103 S135: on hand, held and sold are what was stocked, at any version."""
    events: list[Event] = [REGISTERED, STOCKED]
    now = START
    for act in asked:
        if isinstance(act, timedelta):
            now += act
            continue
        done = given(product, *events, key="tea", at=now).when(act)
        events += done.events
        found = done.state
        assert min(found.on_hand, found.reserved, found.sold) >= 0
        assert found.reserved == sum(hold.quantity for hold in found.reservations.values())
    assert [] == wrong([Log("product/tea", tuple(enumerate(events, 1)))])
