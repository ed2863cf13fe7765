"""The simulators: real HTTP, one answer for each key, and every fault that a script asks for."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import pytest

from tests.support.outside import Outside

CAPTURE = {"order_id": "o1", "amount": "12.50", "currency": "EUR", "payment_method": "card"}
BOOKING: dict[str, Any] = {
    "order_id": "o1",
    "items": [{"product_id": "p1", "quantity": 2}],
    "address": {"name": "Ann", "street": "Quay 1", "city": "Rotterdam", "country": "NL"},
}
NOTICE = {"notice": "OrderConfirmed", "order_id": "o1", "customer_id": "ann"}
CALLS: dict[str, dict[str, Any]] = {
    "gateway/captures": CAPTURE, "carrier/shipments": BOOKING, "webhook/notices": NOTICE
}  # fmt: skip

_numbers = count(1)


@pytest.fixture
def key() -> str:
    return f"k{next(_numbers)}"


@pytest.fixture
def outside(simulators: Outside) -> Iterator[Outside]:
    yield simulators
    for of in ("gateway", "carrier", "webhook"):
        simulators.script(of)


def post(
    at: Outside, path: str, key: str, body: Any = None, *, timeout: float = 5
) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    body = CALLS[path] if body is None else body
    return at.client.post(f"{at.url}/{path}", json=body, headers=headers, timeout=timeout)


def entry(at: Outside, path: str, key: str) -> dict[str, Any] | None:
    of, _, ledger = path.partition("/")
    return next((e for e in at.ledger(of)[ledger] if e["key"] == key), None)


def test_a_capture_takes_money_once_for_each_key(outside: Outside, key: str) -> None:
    """S41 S107: the second call gets the first answer; the ledger knows how often it came."""
    first, second = (post(outside, "gateway/captures", key) for _ in range(2))

    assert first.status_code == second.status_code == 200
    assert first.json() == second.json() == {"transaction_id": f"tx-{key}"}
    found = entry(outside, "gateway/captures", key)
    assert found == {
        "key": key, "order_id": "o1", "amount": "12.50", "currency": "EUR",
        "transaction_id": f"tx-{key}", "status": "captured", "refunded": "0", "asked": 2,
    }  # fmt: skip


@pytest.mark.parametrize("path", CALLS)
def test_one_key_is_for_one_call(outside: Outside, key: str, path: str) -> None:
    post(outside, path, key)

    other = post(outside, path, key, CALLS[path] | {"order_id": "o2"})

    assert (422, "key-reused") == (other.status_code, other.json()["code"])


@pytest.mark.parametrize("path", CALLS)
def test_a_call_has_a_key(outside: Outside, path: str) -> None:
    answer = post(outside, path, "")

    assert (400, "no-idempotency-key") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("body", [{}, [], {"order_id": "o1", "amount": "much", "currency": "EUR"}])
def test_nonsense_is_invalid(outside: Outside, key: str, body: Any) -> None:
    assert 422 == post(outside, "gateway/captures", key, body).status_code
    assert entry(outside, "gateway/captures", key) is None


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("gateway/captures", 402, "card-declined"),
        ("carrier/shipments", 422, "address-not-served"),
        ("webhook/notices", 410, "gone"),
    ],
)
def test_a_business_no_stays_a_no(
    outside: Outside, key: str, path: str, status: int, code: str
) -> None:
    outside.script(path.partition("/")[0], next=["decline"])

    for _ in range(2):
        answer = post(outside, path, key)
        assert (status, code) == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("path", CALLS)
def test_an_error_says_that_nothing_was_done(outside: Outside, key: str, path: str) -> None:
    outside.script(path.partition("/")[0], next=["error"])

    assert 503 == post(outside, path, key).status_code
    assert entry(outside, path, key) is None
    assert 200 == post(outside, path, key).status_code


@pytest.mark.parametrize("path", CALLS)
def test_a_lost_answer_was_done(outside: Outside, key: str, path: str) -> None:
    """S41: the connection is cut; who asks again with the same key gets the answer."""
    outside.script(path.partition("/")[0], next=["lost"])

    with pytest.raises(httpx.RemoteProtocolError):
        post(outside, path, key)
    assert entry(outside, path, key) is not None
    assert 200 == post(outside, path, key).status_code


@pytest.mark.parametrize(("fate", "done"), [("timeout", True), ("hang", False)])
def test_a_silence_may_have_been_done_or_not(
    outside: Outside, key: str, fate: str, done: bool
) -> None:
    outside.script("gateway", next=[fate])

    with pytest.raises(httpx.ReadTimeout):
        post(outside, "gateway/captures", key, timeout=0.2)
    assert done == (entry(outside, "gateway/captures", key) is not None)


def test_who_is_down_turns_everybody_away(outside: Outside, key: str) -> None:
    outside.script("gateway", down=True)

    assert 503 == post(outside, "gateway/captures", key).status_code
    assert 503 == outside.client.get(f"{outside.url}/gateway/captures/{key}").status_code
    outside.script("carrier", down=True)
    assert 503 == outside.client.get(f"{outside.url}/carrier/shipments/{key}").status_code


def test_a_query_says_what_became_of_a_call(outside: Outside, key: str) -> None:
    """S41: not seen, done, or refused."""
    at = f"{outside.url}/gateway/captures/{key}"
    assert 404 == outside.client.get(at).status_code

    post(outside, "gateway/captures", key)
    assert {"transaction_id": f"tx-{key}"} == outside.client.get(at).json()

    outside.script("gateway", next=["decline"])
    post(outside, "gateway/captures", f"{key}-no")
    assert {"code": "card-declined"} == outside.client.get(f"{at}-no").json()


def test_a_booking_can_be_found_and_cancelled(outside: Outside, key: str) -> None:
    """S70: cancelled is cancelled, also for a booking that comes later."""
    at = f"{outside.url}/carrier/shipments/{key}"
    assert 404 == outside.client.get(at).status_code
    post(outside, "carrier/shipments", key)
    assert {"tracking_number": f"track-{key}"} == outside.client.get(at).json()

    cancelled = post(outside, "carrier/cancellations", f"c-{key}", {"shipment": key})
    before = post(outside, "carrier/cancellations", f"c-{key}-2", {"shipment": f"{key}-2"})

    assert ({"found": True}, {"found": False}) == (cancelled.json(), before.json())
    assert {"code": "booking-cancelled"} == outside.client.get(at).json()
    assert 409 == post(outside, "carrier/shipments", f"{key}-2").status_code


def test_a_refund_gives_back_no_more_than_was_taken(outside: Outside, key: str) -> None:
    """S45: in parts, until all is back."""
    post(outside, "gateway/captures", key)

    def refund(number: int, amount: str, of: str = f"tx-{key}") -> int:
        body = {"transaction_id": of, "amount": amount, "currency": "EUR"}
        return post(outside, "gateway/refunds", f"r-{key}-{number}", body).status_code

    assert [200, 200, 422] == [refund(1, "10.00"), refund(2, "2.50"), refund(3, "0.01")]
    assert 200 == refund(1, "10.00")
    assert 404 == refund(4, "1.00", of="tx-unknown")
    found = entry(outside, "gateway/captures", key)
    assert found is not None
    assert "12.50" == found["refunded"]


def test_a_void_undoes_a_capture_and_forbids_a_late_one(outside: Outside, key: str) -> None:
    post(outside, "gateway/captures", key)

    there = post(outside, "gateway/voids", f"v-{key}", {"capture": key})
    late = post(outside, "gateway/voids", f"v-{key}-2", {"capture": f"{key}-2"})

    assert ({"found": True}, {"found": False}) == (there.json(), late.json())
    found = entry(outside, "gateway/captures", key)
    assert found is not None
    assert "voided" == found["status"]
    assert 409 == post(outside, "gateway/captures", f"{key}-2").status_code


def test_a_script_can_be_read_and_must_be_one(outside: Outside) -> None:
    shown = outside.script("gateway", latency_ms=1, rates={"decline": 0.5}, next=["ok"], seed=7)

    assert shown == outside.client.get(f"{outside.url}/gateway/script").json()
    wrongs: list[Any] = [{"rates": {"explode": 1}}, {"speed": 1}, []]
    for wrong in wrongs:
        assert 422 == outside.client.put(f"{outside.url}/gateway/script", json=wrong).status_code


def test_chance_is_the_same_for_the_same_seed(outside: Outside, key: str) -> None:
    def statuses(run: int) -> list[int]:
        outside.script("gateway", rates={"decline": 0.3, "error": 0.2}, seed=7)
        keys = (f"{key}-{run}-{n}" for n in range(40))
        return [post(outside, "gateway/captures", each).status_code for each in keys]

    first = statuses(1)
    assert first == statuses(2)
    assert {200, 402, 503} == set(first)


def test_every_call_is_counted_also_those_that_were_turned_away(outside: Outside, key: str) -> None:
    """S119: a test of a breaker wants to know how many came through."""
    counted = f"{outside.url}/webhook/calls"
    before = outside.client.get(counted).json().get("/notices", 0)
    outside.script("webhook", next=["error", "ok"])
    for _ in range(2):
        post(outside, "webhook/notices", key)

    assert before + 2 == outside.client.get(counted).json()["/notices"]


def test_latency_is_waited_for(outside: Outside, key: str) -> None:
    outside.script("gateway", latency_ms=50)

    assert 0.05 <= post(outside, "gateway/captures", key).elapsed.total_seconds()
