"""Why: what something waits for, in each of the cases that there are, on a running system."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.http.test_commands import problem
from tests.http.town import PARTITIONS, Town, wait_until

Reasons = dict[str, dict[str, Any]]


def why(town: Town, subject: str) -> tuple[str, Reasons]:
    """The status, and the reasons by what they are; the first of each."""
    response = town.client.get(f"/v1/why/{subject}")
    assert response.status_code == 200, response.text
    told = response.json()
    assert told["subject"] == subject
    reasons: Reasons = {}
    for reason in told["because"]:
        assert reason.keys() == {"what", "since", "detail", "unblock"}
        assert reason["detail"]
        reasons.setdefault(reason["what"], reason)
    return told["status"], reasons


def send(town: Town, path: str, body: Any = None) -> str:
    """Send a command that nobody waits for; return its id."""
    response = town.post(path, body, Prefer="respond-async")
    assert response.status_code == 202, response.text
    return str(response.json()["command_id"])


@contextmanager
def paused(town: Town, what: str) -> Iterator[None]:
    assert town.post("/v1/paused", {"what": what, "reason": "a look"}).status_code == 200
    try:
        yield
    finally:
        town.post("/v1/paused/resume", {"what": what})


# -- commands and entities -------------------------------------------------------------------------


def test_a_command_waits_for_a_turn_behind_others(town: Town, key: str) -> None:
    with town.nobody_at_work():
        send(town, f"/v1/lamp/{key}/Switch")
        second = send(town, f"/v1/lamp/{key}/Switch")
        status, reasons = why(town, second)
        of_entity = why(town, f"lamp/{key}")
    town.rest()

    assert status == "pending"
    assert "behind" in reasons["inbox"]["detail"]
    assert "no-worker" not in reasons
    assert f"lamp/{key}" in reasons["inbox"]["detail"]
    assert reasons["inbox"]["since"]
    assert of_entity[0] == "waiting"
    assert why(town, second)[0] == "done"


@pytest.mark.parametrize("what", ["lamp/{key}", "lamp"])
def test_what_is_paused_says_by_whom_and_how_it_goes_on(town: Town, key: str, what: str) -> None:
    what = what.format(key=key)
    with paused(town, what):
        id_ = send(town, f"/v1/lamp/{key}/Switch")
        wait_until(lambda: "held" in why(town, id_)[1])
        for subject, status in ((id_, "pending"), (f"lamp/{key}", "paused")):
            said, reasons = why(town, subject)
            assert said == status
            assert reasons["paused"]["unblock"] == f"wherry resume {what}"
            assert reasons["paused"]["detail"] == f"{what} is paused by anybody: a look"
            assert reasons["held"]["since"]
    wait_until(lambda: why(town, id_)[0] == "done")
    assert "it was done at version 1" in why(town, id_)[1]["nothing"]["detail"]


def test_everything_is_paused(town: Town, key: str) -> None:
    with paused(town, "*"):
        id_ = send(town, f"/v1/lamp/{key}/Switch")
        _, reasons = why(town, id_)
    town.rest()

    assert reasons["paused"]["unblock"] == "wherry resume '*'"
    assert "inbox" in reasons


def test_a_delayed_command_is_due_later(town: Town, key: str) -> None:
    id_ = send(town, f"/v1/lamp/{key}/Switch?delay=3600")

    for subject in (id_, f"lamp/{key}"):
        _, reasons = why(town, subject)
        assert "Switch" in reasons["delayed"]["detail"]
        assert reasons["delayed"]["unblock"] == f"wherry timers fire {id_}"


def test_a_timer_that_is_not_waited_for_is_due_now(town: Town, key: str) -> None:
    id_ = send(town, f"/v1/lamp/{key}/Switch?delay=3600")
    timers = town.client.get("/v1/timers?limit=1000").json()["items"]
    mine = next(timer for timer in timers if timer["id"] == id_)
    assert (mine["entity"], mine["command"]) == (f"lamp/{key}", "Switch")

    done = town.post("/v1/timers/fire", {"id": id_})

    assert done.json() == {
        "id": id_, "status": "due", "entity": f"lamp/{key}", "command": "Switch",
    }  # fmt: skip
    wait_until(lambda: why(town, id_)[0] == "done")
    path = town.port(key)
    town.post(f"{path}/ReserveDocking", {"reservation_id": "r1", "vessel_id": "v1"})
    assert town.post("/v1/timers/fire", {"id": f"port/{key}:berths:r1"}).status_code == 200
    for unknown in (id_, f"port/{key}:berths:r2", "port/x:tick", "", "\x00"):
        problem(town.post("/v1/timers/fire", {"id": unknown}), 404, "not-found")
    problem(town.post("/v1/timers/fire", {}), 422, "invalid")


def test_timers_are_told(town: Town, key: str) -> None:
    path = town.port(key)
    body = {"reservation_id": "r1", "vessel_id": "v1"}
    assert town.post(f"{path}/ReserveDocking", body).status_code == 200

    assert "ExpireReservation" in why(town, f"port/{key}")[1]["timer"]["detail"]
    timer = f"port/{key}:berths:r1"
    assert why(town, timer)[1].keys() == {"timer"}


def test_a_stopped_entity_has_to_be_restarted(town: Town, key: str) -> None:
    problem(town.post(f"/v1/boiler/{key}/Fail"), 500, "handler-failed")

    status, reasons = why(town, f"boiler/{key}")

    assert status == "stopped"
    assert reasons["stopped"]["unblock"] == f"wherry attention restart boiler/{key}"
    assert "as it was told" in reasons["stopped"]["detail"]


def test_a_damaged_entity_has_an_event_that_does_not_fit(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch")
    own = town.runtime.store.keys.partition(town.runtime.registry.partition_of(f"lamp/{key}"))
    town.redis.xadd(own.log("lamp", key), {"type": "Gone", "data": "{}", "at": 1, "id": "x"}, "2-0")
    town.redis.hset(own.entity("lamp", key), "version", 2)
    try:
        status, reasons = why(town, f"lamp/{key}")
    finally:
        town.redis.delete(own.log("lamp", key), own.entity("lamp", key))
        town.redis.zrem(own.index("lamp"), key)

    assert status == "damaged"
    assert "Gone" in reasons["damaged"]["detail"]
    assert reasons["damaged"]["unblock"] == f"wherry replay lamp/{key}"


def test_what_has_nothing_to_do_says_so(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch")

    status, reasons = why(town, f"lamp/{key}")

    assert (status, set(reasons)) == ("idle", {"nothing"})


# -- dead letters ----------------------------------------------------------------------------------


def test_a_dead_letter_is_told_by_its_id_and_by_that_of_its_command(town: Town, key: str) -> None:
    id_ = town.post(f"/v1/lamp/{key}/Break", {"why": "test"}).json()["command_id"]
    letter = town.client.get(f"/v1/dead?entity=lamp/{key}").json()["items"][0]["id"]

    for subject in (id_, letter):
        status, reasons = why(town, subject)
        assert status == "dead"
        assert reasons["dead-letter"]["unblock"] == f"wherry dead retry {letter}"
    assert "RuntimeError: test" in why(town, letter)[1]["error"]["detail"]


# -- calls to the outside world --------------------------------------------------------------------


def late(town: Town) -> list[str]:
    """The ids of the commands that nobody has answered."""
    listed = town.client.get("/v1/queues/unanswered?limit=1000").json()
    assert listed["complete"] is True
    return [row["command_id"] for row in listed["items"]]


def resolve(town: Town, key: str) -> None:
    path = f"/v1/effects/{call_of(town, key)}/resolve"
    assert town.post(path, {"reply": {"litres": 1}}).status_code == 200


def test_an_answer_that_waits_for_a_call_leads_to_the_call(town: Town, key: str) -> None:
    id_ = send(town, f"/v1/boiler/{key}/Fetch", {"litres": 66})
    wait_until(lambda: "due" in why(town, id_)[1])
    _, reasons = why(town, id_)
    assert "it was taken" in reasons["unanswered"]["detail"]
    assert reasons["no-runner"]["unblock"] == "wherry worker"
    assert id_ in late(town)
    with town.a_runner():
        wait_until(lambda: "backing-off" in why(town, id_)[1])
    call = call_of(town, key)
    status, reasons = why(town, call)
    assert status == "waiting"
    assert reasons["backing-off"]["unblock"] == f"wherry effects retry {call}"
    assert "the well is low" in reasons["backing-off"]["detail"]
    assert "backing-off" in why(town, f"boiler/{key}")[1]

    resolve(town, key)

    wait_until(lambda: why(town, id_)[0] == "done")
    assert id_ not in late(town)
    assert town.client.get(f"/v1/why/{call}").status_code == 404


def test_a_call_waits_for_a_person_or_for_a_breaker(town: Town, key: str) -> None:
    breaker = town.runtime.store.keys.breaker("well")
    stored = {"state": "open", "failures": 5, "until": 9_999_999_999_999, "since": 1}
    id_ = send(town, f"/v1/boiler/{key}/Fetch", {"litres": 100})
    wait_until(lambda: "due" in why(town, id_)[1])
    town.redis.hset(breaker, mapping=stored)
    try:
        assert why(town, id_)[1]["breaker-open"]["unblock"] == "wherry breakers"
    finally:
        town.redis.delete(breaker)
    with town.a_runner():
        wait_until(lambda: "parked" in why(town, id_)[1])
    call = call_of(town, key)
    assert why(town, id_)[1]["parked"]["unblock"] == f"wherry effects resolve {call}"
    assert why(town, call)[0] == "parked"
    resolve(town, key)
    wait_until(lambda: why(town, id_)[0] == "done")


def call_of(town: Town, key: str) -> str:
    items = town.client.get("/v1/effects?limit=1000").json()["items"]
    return next(str(item["id"]) for item in items if item["entity"] == f"boiler/{key}")


# -- sagas -----------------------------------------------------------------------------------------


def start(town: Town, key: str, **more: Any) -> str:
    body = {"kettle": f"{key}-a", "other": f"{key}-b", **more}
    town.post(f"/v1/sagas/brew?id={key}", body, Prefer="respond-async")
    return f"brew/{key}"


def test_a_saga_waits_for_its_step_and_the_step_for_what_is_paused(town: Town, key: str) -> None:
    with paused(town, f"kettle/{key}-b"):
        saga = start(town, key)
        wait_until(lambda: "held" in why(town, saga)[1])
        for subject in (saga, f"saga.brew/{key}", key):
            _, reasons = why(town, subject)
            assert f"second asked kettle/{key}-b" in reasons["step"]["detail"]
            assert reasons["paused"]["unblock"] == f"wherry resume kettle/{key}-b"
            assert reasons["deadline"]["unblock"] == f"wherry saga cancel brew {key}"
        with paused(town, f"kettle/{key}-a"):
            town.post(f"/v1/sagas/brew/{key}/cancel")
            town.post("/v1/paused/resume", {"what": f"kettle/{key}-b"})
            wait_until(lambda: "undo" in why(town, saga)[1])
            status, reasons = why(town, saga)
            assert status == "compensating"
            assert "cancelled" in reasons["compensating"]["detail"]
            assert reasons["paused"]["unblock"] == f"wherry resume kettle/{key}-a"
    wait_until(lambda: why(town, saga)[0] == "compensated")
    assert "nothing: it was compensated at" in why(town, saga)[1]["nothing"]["detail"]


def test_a_saga_waits_for_an_answer_that_is_held_back_for_itself(town: Town, key: str) -> None:
    with paused(town, f"kettle/{key}-a"):
        saga = start(town, key)
        wait_until(lambda: "held" in why(town, saga)[1])
        with paused(town, saga):
            town.post("/v1/paused/resume", {"what": f"kettle/{key}-a"})
            wait_until(lambda: "answered" in why(town, saga)[1])
            assert why(town, saga)[1]["paused"]["unblock"] == f"wherry resume saga.{saga}"
    wait_until(lambda: why(town, saga)[0] == "completed")


def test_a_saga_that_could_not_undo_everything_can_be_tried_again(town: Town, key: str) -> None:
    town.post(f"/v1/kettle/{key}-a/Jam")
    saga = start(town, key, breaks=True)
    wait_until(lambda: why(town, saga)[0] == "failed")

    assert why(town, saga)[1]["undo-failed"]["unblock"] == f"wherry saga retry brew {key}"
    letter = town.client.get(f"/v1/dead?entity=kettle/{key}-b").json()["items"][0]["id"]
    assert why(town, letter)[1]["dead-letter"]["unblock"] == f"wherry dead drop {letter}"


def test_a_saga_that_has_not_begun_waits_as_a_command(town: Town, key: str) -> None:
    with town.nobody_at_work():
        saga = start(town, key)
        assert "inbox" in why(town, saga)[1]
        assert key not in late(town)
    town.rest()
    assert why(town, saga)[0] == "completed"


# -- what is not there -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "subject",
    [
        "x", "0-1-1", "99-1-1", "0-1-1.1", "99999-1-1.1", "pier/1", "lamp/nobody", "brew/nobody",
        "lamp/a:b", "lamp/a%20b", "port/x:berths:r1", "%C2%B2", "saga.brew/nobody", "*", "a%2Fb",
    ],
)  # fmt: skip
def test_what_is_not_known_is_not_found(town: Town, subject: str) -> None:
    problem(town.client.get(f"/v1/why/{subject}"), 404, "not-found")


def test_a_letter_in_each_partition_is_looked_for(town: Town) -> None:
    for number in range(PARTITIONS):
        problem(town.client.get(f"/v1/why/{number}-1-1"), 404, "not-found")
