"""Calls to the outside world: what waits, what is parked, and what an operator does about it.

There is no runner but where one is started: otherwise a test takes a call itself, as a runner does.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.http.test_commands import problem
from tests.http.town import Town, wait_until
from wherry.store import calls
from wherry.store.calls import Again, Asking, How, Park, Settling
from wherry.store.effect_store import EffectStore
from wherry.store.effects import taken


class Calls:
    """The calls of one boiler."""

    def __init__(self, town: Town, key: str) -> None:
        self.town = town
        self.key = key

    def ask(self, litres: int = 5) -> dict[str, Any]:
        """Ask for water; return the call that waits, and where its asker's outcome will be."""
        path = f"/v1/boiler/{self.key}/Fetch"
        said = self.town.post(path, {"litres": litres}, Prefer="respond-async")
        wait_until(lambda: self.call(said.json()["command_id"]) is not None)
        return {"outcome": said.headers["location"], **self.one(said.json()["command_id"])}

    def call(self, key: str, query: str = "") -> dict[str, Any] | None:
        items = self.town.client.get(f"/v1/effects{query}").json()["items"]
        return next((item for item in items if item["key"] == key), None)

    def one(self, key: str) -> dict[str, Any]:
        found = self.call(key)
        assert found is not None
        return found

    def show(self, call: dict[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = self.town.client.get(f"/v1/effects/{call['id']}").json()
        return shown

    def take(self, call: dict[str, Any]) -> int:
        """Take a call, and all others of its partition that are due, as a runner does."""
        store, number = self.town.runtime.store, int(call["id"].partition("-")[0])
        own, now = store.keys.partition(number), store.now_ms()
        found = taken(store.call(calls.take(own, now, 60_000, 1000))).calls
        return next(one.n for one in found if one.id == call["id"])

    def settle(self, call: dict[str, Any], how: How) -> None:
        store, number = self.town.runtime.store, int(call["id"].partition("-")[0])
        settling = Settling(number, call["id"], self.take(call), store.now_ms(), how)
        EffectStore(store).settle(settling)

    def parked(self, litres: int = 5) -> dict[str, Any]:
        call = self.ask(litres)
        self.settle(call, Park(b'{"unknown":true,"error":"no answer"}'))
        return call | self.show(call)

    def outcome(self, call: dict[str, Any]) -> dict[str, Any]:
        """What became of the command that led to a call."""
        town, place = self.town, call["outcome"]
        wait_until(lambda: town.client.get(place).json()["status"] != "pending")
        found: dict[str, Any] = town.client.get(place).json()
        return found


@pytest.fixture
def it(town: Town, key: str) -> Iterator[Calls]:
    """The calls of a boiler; what a test leaves behind is ended."""
    yield Calls(town, key)
    for call in town.client.get("/v1/effects?limit=1000").json()["items"]:
        if call["entity"] == f"boiler/{key}":
            number, id_ = int(call["id"].partition("-")[0]), call["id"]
            own = town.runtime.store.keys.partition(number)
            town.redis.zrem(own.effects, id_)
            town.redis.zrem(own.parked, id_)
            town.redis.hdel(own.effect, id_)
            town.redis.hdel(own.attempt, id_)


# -- looking --------------------------------------------------------------------------------------


def test_a_call_that_waits_is_listed_and_shown(it: Calls) -> None:
    call = it.ask(7)

    assert (call["state"], call["attempts"], call["note"]) == ("waiting", 0, {})
    assert (call["target"], call["command"], call["entity"]) == ("well", "Draw", f"boiler/{it.key}")
    assert call["due"] is not None
    assert call["parked_at"] is None
    shown = it.show(call)
    assert shown["data"] == {"litres": 7}
    assert shown["causation_id"] == call["key"] == shown["correlation_id"]


def test_a_call_that_a_runner_has_is_running_until_its_lease_ends(it: Calls) -> None:
    call = it.ask()
    it.take(call)

    shown = it.show(call)

    assert (shown["state"], shown["attempts"]) == ("running", 1)
    assert shown["due"] > call["due"]


def test_a_parked_call_says_since_when_and_why_and_comes_first(it: Calls) -> None:
    it.ask()
    call = it.parked()

    items = it.town.client.get("/v1/effects?limit=1000").json()["items"]

    is_parked = [one["state"] == "parked" for one in items]
    assert is_parked == sorted(is_parked, reverse=True)
    assert call["id"] in {one["id"] for one in items[: sum(is_parked)]}
    assert not all(is_parked)
    assert (call["state"], call["due"]) == ("parked", None)
    assert call["parked_at"] is not None
    assert call["note"] == {"unknown": True, "error": "no answer"}


def test_calls_are_listed_by_state_and_by_target(it: Calls) -> None:
    running = it.ask()
    it.take(running)
    parked = it.parked()
    waiting = it.ask()

    for state, call in (("running", running), ("parked", parked), ("waiting", waiting)):
        listed = [c for c in (running, parked, waiting) if it.call(c["key"], f"?state={state}")]
        assert listed == [call]
        assert it.call(call["key"], "?target=well")


@pytest.mark.parametrize("id_", ["x", "0-1-1", "99-1-1.1", "0-1-1.1", "0-1-1.1.1", "%C2%B2-1-1.1"])
def test_a_call_that_is_not_there_is_not_found(town: Town, id_: str) -> None:
    problem(town.client.get(f"/v1/effects/{id_}"), 404, "not-found")
    problem(town.post(f"/v1/effects/{id_}/retry"), 404, "not-found")
    problem(town.post(f"/v1/effects/{id_}/resolve", {"failed": "x"}), 404, "not-found")


@pytest.mark.parametrize(
    "query", ["state=open", "target=wel", "limit=0", "limit=1001", "kind=x", "state=parked&state="]
)
def test_a_bad_query(town: Town, query: str) -> None:
    problem(town.client.get(f"/v1/effects?{query}"), 422, "invalid")


# -- trying again ---------------------------------------------------------------------------------


def test_a_parked_call_is_tried_again(it: Calls) -> None:
    call = it.parked()

    done = it.town.post(f"/v1/effects/{call['id']}/retry")

    assert done.json() == {
        "id": call["id"], "status": "retried", "target": "well", "key": call["key"],
    }  # fmt: skip
    assert it.show(call)["state"] == "waiting"
    assert it.show(call)["note"] == call["note"]
    assert it.take(call) == 2


def test_a_call_that_waits_for_its_next_attempt_is_tried_at_once(it: Calls) -> None:
    call = it.ask()
    it.settle(call, Again(it.town.runtime.store.now_ms() + 3_600_000))

    assert it.town.post(f"/v1/effects/{call['id']}/retry").status_code == 200
    assert it.take(call) == 2


def test_a_call_that_runs_is_not_tried_a_second_time(it: Calls) -> None:
    call = it.ask()
    it.take(call)
    due = it.show(call)["due"]

    problem(it.town.post(f"/v1/effects/{call['id']}/retry"), 409, "effect-running")
    assert it.show(call)["due"] == due


# -- saying what became of it ---------------------------------------------------------------------


def test_a_call_that_was_done_is_answered_with_its_reply(it: Calls) -> None:
    call = it.parked()

    done = it.town.post(f"/v1/effects/{call['id']}/resolve", {"reply": {"litres": 12}})

    assert done.json()["status"] == "resolved"
    assert it.outcome(call)["reply"] == 12
    problem(it.town.client.get(f"/v1/effects/{call['id']}"), 404, "not-found")
    problem(it.town.post(f"/v1/effects/{call['id']}/resolve", {"failed": "x"}), 404, "not-found")
    events = it.town.client.get(f"/v1/boiler/{it.key}/events").json()["events"]
    assert {event["correlation_id"] for event in events} == {call["key"]}


def test_a_call_that_was_refused_is_answered_with_the_code(it: Calls) -> None:
    call = it.parked()

    body = {"rejected": {"code": "dry", "detail": "no water", "data": {"level": 0}}}
    assert it.town.post(f"/v1/effects/{call['id']}/resolve", body).status_code == 200

    told = it.outcome(call)["problem"]
    assert (told["code"], told["detail"]) == ("dry", "no water")


def test_a_call_that_failed_is_answered_so(it: Calls) -> None:
    call = it.ask()  # no runner ever had it

    assert it.town.post(f"/v1/effects/{call['id']}/resolve", {"failed": "why"}).status_code == 200

    told = it.outcome(call)["problem"]
    assert (told["code"], told["detail"]) == ("effect-failed", "why")


def test_the_outcome_of_a_call_that_runs_is_for_its_runner_to_say(it: Calls) -> None:
    call = it.ask()
    it.take(call)

    response = it.town.post(f"/v1/effects/{call['id']}/resolve", {"failed": "why"})

    problem(response, 409, "effect-running")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ([], ""),
        (None, ""),
        ({"reply": {"litres": 1}, "failed": "x"}, ""),
        ({"done": {}}, ""),
        ({"reply": None}, "/reply"),
        ({"reply": {}}, "/reply/litres"),
        ({"reply": {"litres": "1"}}, "/reply/litres"),
        ({"reply": {"litres": 1, "x": 1}}, "/reply/x"),
        ({"rejected": "dry"}, "/rejected"),
        ({"rejected": {}}, "/rejected/code"),
        ({"rejected": {"code": "Not a code"}}, "/rejected/code"),
        ({"rejected": {"code": "dry", "data": []}}, "/rejected/data"),
        ({"failed": 1}, "/failed"),
        ({"failed": "x" * 1001}, "/failed"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_outcome_that_cannot_be_is_refused(it: Calls, body: Any, pointer: str) -> None:
    call = it.parked()

    response = it.town.client.post(f"/v1/effects/{call['id']}/resolve", json=body)

    told: Any = problem(response, 422, "invalid")
    assert told["errors"][0]["pointer"].startswith(pointer)
    assert it.show(call)["state"] == "parked"


# -- with a runner --------------------------------------------------------------------------------


def test_a_runner_parks_what_nobody_knows_and_an_operator_ends_it(it: Calls) -> None:
    with it.town.a_runner():
        lost, late, fine = it.ask(100), it.ask(66), it.ask(3)
        assert it.outcome(fine)["reply"] == 3
        wait_until(lambda: it.show(lost)["state"] == "parked")
        wait_until(lambda: it.show(late)["attempts"] == 1)
        assert "the pump does not answer" in it.show(lost)["note"]["error"]

        it.town.post(f"/v1/effects/{late['id']}/retry")
        assert it.outcome(late)["reply"] == 69
        it.town.post(f"/v1/effects/{lost['id']}/resolve", {"reply": {"litres": 100}})
        assert it.outcome(lost)["reply"] == 169


# -- breakers -------------------------------------------------------------------------------------


def test_every_target_has_a_breaker_that_says_whether_calls_may_pass(town: Town) -> None:
    store = town.runtime.store
    key = store.keys.breaker("well")

    def breakers() -> list[Any]:
        listed = town.client.get("/v1/breakers").json()["items"]
        assert {one["target"] for one in listed} == set(town.runtime.registry.targets)
        return [one for one in listed if one["target"] == "well"]

    town.redis.delete(key)
    closed = breakers()

    now = store.now_ms()
    failing = Asking(0, 0, 3, limit=3, reset_ms=60_000, probes=1, lease_ms=1_000)
    store.call(calls.breaker(store.keys, "well", now, failing))
    opened = breakers()
    town.redis.hset(key, "until", now)
    again = breakers()
    town.redis.delete(key)

    never = {"target": "well", "state": "closed", "failures": 0, "since": None, "retry_at": None}
    assert closed == [never]
    assert (opened[0]["state"], opened[0]["failures"]) == ("open", 3)
    assert opened[0]["since"] < opened[0]["retry_at"]
    assert (again[0]["state"], again[0]["retry_at"]) == ("half-open", None)
    problem(town.client.get("/v1/breakers?x=1"), 422, "invalid")
