"""The calls to the outside world, over real sockets: what each outcome says."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import httpx
import pytest

from orders import settings
from orders.carrier import book, cancel, carrier, find_booking
from orders.gateway import capture, find_capture, gateway, refund, void
from orders.messages.outside import (
    Booked,
    BookShipment,
    CancelBooking,
    Capture,
    Captured,
    GaveBack,
    PostNotice,
    Refund,
    Unbooked,
    VoidCapture,
    Voided,
)
from orders.messages.values import OrderItem
from orders.webhook import post_notice, webhook
from tests.support.outside import Outside
from tests.support.shop import ADDRESS
from wherry import Attempt, Rejected, Transient

CAPTURE = Capture("o1", Decimal("12.50"), "EUR", "card")
BOOKING = BookShipment("o1", (OrderItem("p1", 2),), ADDRESS)
NOTICE = PostNotice("OrderConfirmed", "o1", "ann")
FIRST: list[tuple[str, Any, Any]] = [
    ("gateway", capture, CAPTURE), ("carrier", book, BOOKING), ("webhook", post_notice, NOTICE)
]  # fmt: skip

_numbers = count(1)


@pytest.fixture
def key() -> str:
    return f"e{next(_numbers)}"


@pytest.fixture
def outside(simulators: Outside, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    for of in ("gateway", "carrier", "webhook"):
        monkeypatch.setattr(settings, f"{of.upper()}_URL", f"{simulators.url}/{of}")
    yield simulators
    for of in ("gateway", "carrier", "webhook"):
        simulators.script(of)


def call(function: Any, command: Any, key: str, timeout: float = 5) -> Any:
    """Make one attempt, as a runner would."""

    async def attempt() -> Any:
        async with httpx.AsyncClient() as client:
            headers = {"Idempotency-Key": key}
            return await function(command, Attempt(key, 1, timeout, headers, lambda: client))

    return asyncio.run(attempt())


def test_a_capture_is_made_and_can_be_found(outside: Outside, key: str) -> None:
    """S41: None says that the gateway has not seen it."""
    assert call(find_capture, CAPTURE, key) is None
    assert Captured(f"tx-{key}") == call(capture, CAPTURE, key)
    assert Captured(f"tx-{key}") == call(find_capture, CAPTURE, key)
    (entry,) = (c for c in outside.ledger("gateway")["captures"] if c["key"] == key)
    assert ("o1", "12.50", "EUR") == (entry["order_id"], entry["amount"], entry["currency"])


def test_a_capture_is_refunded_and_voided(outside: Outside, key: str) -> None:
    """S41 S45: with the transaction, and with the key."""
    call(capture, CAPTURE, key)

    back = call(refund, Refund(f"tx-{key}", Decimal("2.50"), "EUR"), f"refund-{key}")
    voided = call(void, VoidCapture(key), f"void-{key}")

    assert (GaveBack(f"re-refund-{key}"), Voided(found=True)) == (back, voided)
    with pytest.raises(Rejected, match="capture-voided"):
        call(find_capture, CAPTURE, key)


def test_a_booking_is_made_found_and_cancelled(outside: Outside, key: str) -> None:
    """S68 S70: the label, as the carrier knows it."""
    assert call(find_booking, BOOKING, key) is None
    assert Booked(f"track-{key}") == call(book, BOOKING, key)
    assert Booked(f"track-{key}") == call(find_booking, BOOKING, key)
    assert Unbooked(found=True) == call(cancel, CancelBooking(key), f"cancel-{key}")


def test_a_notice_is_posted(outside: Outside, key: str) -> None:
    call(post_notice, NOTICE, key)

    (notice,) = (n for n in outside.ledger("webhook")["notices"] if n["key"] == key)
    assert ("OrderConfirmed", "ann") == (notice["notice"], notice["customer_id"])


@pytest.mark.parametrize(("of", "function", "command"), FIRST)
def test_a_business_no_is_a_rejection(
    outside: Outside, key: str, of: str, function: Any, command: Any
) -> None:
    """S41 S70: with the target's own code; the same when it is asked again."""
    outside.script(of, next=["decline"])

    for _ in range(2):
        with pytest.raises(Rejected, match=r"card-declined|address-not-served|gone"):
            call(function, command, key)


@pytest.mark.parametrize(("of", "function", "command"), FIRST)
def test_what_was_certainly_not_done_is_transient(
    outside: Outside, key: str, of: str, function: Any, command: Any
) -> None:
    """S40 S118: it is tried again."""
    outside.script(of, next=["error"])

    with pytest.raises(Transient, match="503"):
        call(function, command, key)


@pytest.mark.parametrize(("of", "function", "command"), FIRST)
@pytest.mark.parametrize("fate", ["lost", "timeout", "hang"])
def test_what_may_have_been_done_is_neither(
    outside: Outside, key: str, of: str, function: Any, command: Any, fate: str
) -> None:
    """S40 S41: the runner has to find out."""
    outside.script(of, next=[fate])

    with pytest.raises(httpx.TransportError):
        call(function, command, key, timeout=0.2)


@pytest.mark.parametrize(("of", "function", "command"), FIRST)
def test_nobody_there_is_transient(
    outside: Outside, key: str, of: str, function: Any, command: Any, monkeypatch: Any
) -> None:
    """S118: what was never sent was not done."""
    monkeypatch.setattr(settings, f"{of.upper()}_URL", "http://127.0.0.1:9")
    with pytest.raises(Transient):
        call(function, command, key)

    monkeypatch.setattr(settings, f"{of.upper()}_URL", "")
    with pytest.raises(Transient, match="no setting"):
        call(function, command, key)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, '{"code": "oops"}', httpx.HTTPStatusError),
        (504, "", httpx.HTTPStatusError),
        (429, "", Transient),
        (404, "not here", httpx.HTTPStatusError),
        (404, "[]", httpx.HTTPStatusError),
        (422, '{"code": "no"}', Rejected),
        (301, "", httpx.HTTPStatusError),
        (200, "no JSON", ValueError),
        (200, "{}", KeyError),
    ],
)
def test_any_answer_says_something(
    monkeypatch: pytest.MonkeyPatch, status: int, body: str, error: type[Exception]
) -> None:
    """S40 S41: a proxy's answer is nobody's decision."""
    monkeypatch.setattr(settings, "GATEWAY_URL", "http://there")
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text=body))

    async def attempt() -> None:
        async with httpx.AsyncClient(transport=transport) as client:
            await capture(CAPTURE, Attempt("k", 1, 1.0, {}, lambda: client))  # type: ignore[misc]

    with pytest.raises(error):
        asyncio.run(attempt())


@pytest.mark.parametrize("status", [0, 301, 404, 429, 500, 503])
def test_the_password_in_an_address_is_in_no_error(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Errors are stored with the call, and shown by HTTP and on the command line."""
    monkeypatch.setattr(settings, "GATEWAY_URL", "http://shop:secret@there/api")

    def answer(request: httpx.Request) -> httpx.Response:
        if not status:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(status)

    async def attempt() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            await capture(CAPTURE, Attempt("k", 1, 1.0, {}, lambda: client))  # type: ignore[misc]

    with pytest.raises((Transient, httpx.HTTPStatusError), match="http://there/api") as raised:
        asyncio.run(attempt())
    assert "secret" not in str(raised.value)


def test_a_long_code_of_a_refusal_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "GATEWAY_URL", "http://there")
    transport = httpx.MockTransport(lambda _: httpx.Response(422, json={"code": "no" * 500}))

    async def attempt() -> None:
        async with httpx.AsyncClient(transport=transport) as client:
            await capture(CAPTURE, Attempt("k", 1, 1.0, {}, lambda: client))  # type: ignore[misc]

    with pytest.raises(Rejected) as raised:
        asyncio.run(attempt())
    assert raised.value.code == "no" * 50


def test_the_policies_are_those_of_the_design() -> None:
    """S118 S119: exponential backoff; a breaker; what gives back is tried for ever."""
    five_seconds = timedelta(seconds=5)
    for target in (gateway, carrier, webhook):
        assert (5, five_seconds) == (target.breaker.failures, target.breaker.reset)
    tried: list[tuple[Any, Any]] = [(Capture, gateway), (BookShipment, carrier)]
    for command, target in tried:
        rule = target.rules[command]
        assert ("query", timedelta(seconds=10)) == (rule.unknown, rule.timeout)
        assert (timedelta(minutes=2), 2.0) == (rule.retry.within, rule.retry.factor)
        assert command in target.finders
    owed: list[tuple[Any, Any]] = [(VoidCapture, gateway), (Refund, gateway)]
    for command, target in [*owed, (CancelBooking, carrier)]:
        rule = target.rules[command]
        assert ("retry", 0, None) == (rule.unknown, rule.retry.attempts, rule.retry.within)
