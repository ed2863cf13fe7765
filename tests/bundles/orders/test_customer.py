"""A customer: told each thing once, and whoever listens is told as well."""

import pytest

from orders import settings
from orders.customer import Customer, Told, customer
from orders.messages.customer import Notify, OrderCancelled, OrderConfirmed
from orders.messages.kinds import CustomerKind
from orders.messages.outside import Booked, BookShipment, Capture, PostNotice
from tests.support.shop import require_good, shop
from wherry import Rejected
from wherry.testing import Given, given

CONFIRM = Notify("o1", "OrderConfirmed", tracking_number="track-1")
CANCEL = Notify("o1", "OrderCancelled", "PaymentFailed", "card-declined")


def ann() -> Given[CustomerKind, Customer]:
    return given(customer, key="ann")


def test_a_notice_is_stored() -> None:
    """S89 S93: OrderConfirmed, and OrderCancelled with a reason."""
    confirmed = ann().when(CONFIRM).then(OrderConfirmed("o1", "ann", "track-1"))
    both = confirmed.when(CANCEL).then(
        OrderCancelled("o1", "ann", "PaymentFailed", "card-declined")
    )

    assert both.state.notices == (
        Told("o1", "OrderConfirmed", tracking_number="track-1"),
        Told("o1", "OrderCancelled", "PaymentFailed", "card-declined"),
    )


def test_a_notice_is_given_once() -> None:
    """S106: a copy of the message tells nothing new."""
    ann().when(CONFIRM).when(CONFIRM).then()


def test_the_state_has_the_last_notices_and_the_log_all() -> None:
    found = ann()
    for number in range(60):
        found = found.when(Notify(f"o{number}", "OrderConfirmed"))

    assert 50 == len(found.state.notices)
    assert "o59" == found.state.notices[-1].order_id


def test_without_a_webhook_nothing_is_posted() -> None:
    assert "" == settings.WEBHOOK_URL
    assert () == ann().when(CONFIRM).sends


def test_a_webhook_is_told_and_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """S89 S93: the key names order and notice, so that a copy is the same call."""
    monkeypatch.setattr(settings, "WEBHOOK_URL", "http://there")
    found = shop(waiting=[PostNotice])
    found.order()

    call = PostNotice("OrderConfirmed", "o1", "ann", tracking_number="track-label-o1")
    waiting = found.world.calls(PostNotice)
    assert [("OrderConfirmed-o1", call)] == [(c.key, c.command) for c in waiting]
    assert () == found.order_of().open
    found.finish()
    require_good(found)


@pytest.mark.parametrize("customer_id", ["ann", "bob", "eve"])
def test_a_customer_is_told_in_however_many_words(customer_id: str) -> None:
    """S89 S93: a notice that crosses partitions is read again, and must not be refused then."""
    refused = shop(waiting=[Capture])
    refused.order(customer=customer_id)
    refused.settle(Capture, Rejected("no" * 150))
    assert [("OrderCancelled", "PaymentFailed")] == refused.notices(customer_id)

    booked = shop(waiting=[BookShipment])
    booked.order(customer=customer_id)
    booked.settle(BookShipment, Booked("track" * 100))
    assert [("OrderConfirmed", "")] == booked.notices(customer_id)
