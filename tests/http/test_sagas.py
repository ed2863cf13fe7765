"""Sagas over HTTP: started, waited for, looked at, cancelled."""

import pytest

from tests.http.test_commands import problem
from tests.http.town import Town, wait_until

FAR_AWAY = 10.0


def test_a_saga_that_is_completed_answers_with_its_result(town: Town, key: str) -> None:
    town.port(key)
    town.vessel(key)

    response = town.post(f"/v1/sagas/docking?id={key}", {"vessel_id": key, "port_id": key})

    assert response.status_code == 200
    body = response.json()
    assert (body["id"], body["saga"], body["status"]) == (key, "docking", "completed")
    assert body["result"]["reservation_id"] == key
    assert [step["name"] for step in body["steps"]] == ["reserve", "arrive", "confirm"]
    step = body["steps"][0]
    assert (step["status"], step["attempts"]) == ("done", 1)
    assert step["reply"]["reservation_id"] == key
    assert step["undo"]["command"] == "ExpireReservation"
    assert step["started_at"] <= step["ended_at"]
    assert town.client.get(f"/v1/sagas/docking/{key}").json() == body


def test_a_saga_that_had_to_turn_back_is_a_problem(town: Town, key: str) -> None:
    port = town.port(key)
    town.vessel(key, latitude=FAR_AWAY)

    response = town.post(f"/v1/sagas/docking?id={key}", {"vessel_id": key, "port_id": key})

    body = response.json()
    problem(response, 409, body["code"])
    assert body["saga_id"] == key
    shown = town.client.get(f"/v1/sagas/docking/{key}").json()
    assert shown["status"] == "compensated"
    assert shown["problem"]["code"] == body["code"]
    assert [step["status"] for step in shown["steps"]] == ["undone", "rejected"]
    assert town.client.get(port).json()["state"]["reservations"] == {}


def test_a_saga_that_nobody_waits_for_is_found_at_once(town: Town, key: str) -> None:
    with town.nobody_at_work():
        response = town.post(
            f"/v1/sagas/docking?id={key}",
            {"vessel_id": key, "port_id": key},
            Prefer="respond-async",
        )
        where = response.headers["location"]
        waiting = town.client.get(where).json()

    assert response.status_code == 202
    assert where == f"/v1/sagas/docking/{key}"
    assert response.json()["id"] == key
    assert response.json()["command_id"]
    assert waiting["status"] == "running"
    assert [step["status"] for step in waiting["steps"]] == ["pending"] * 3
    wait_until(lambda: town.client.get(where).json()["status"] == "compensated")


def test_a_saga_that_takes_longer_than_the_wait_is_running(town: Town, key: str) -> None:
    with town.nobody_at_work():
        response = town.post(
            f"/v1/sagas/docking?id={key}", {"vessel_id": key, "port_id": key}, Prefer="wait=1"
        )

    assert response.status_code == 202
    assert response.json()["status"] == "running"
    assert response.headers["location"] == f"/v1/sagas/docking/{key}"


def test_a_saga_has_the_id_of_its_idempotency_key(town: Town, key: str) -> None:
    town.port(key)
    town.vessel(key)
    body = {"vessel_id": key, "port_id": key}

    first = town.post("/v1/sagas/docking", body, Idempotency_Key=f"k-{key}")
    second = town.post("/v1/sagas/docking", body, Idempotency_Key=f"k-{key}")
    other = town.post("/v1/sagas/docking", {**body, "port_id": "x"}, Idempotency_Key=f"k-{key}")

    assert first.json()["id"] == f"k-{key}"
    assert second.json() == first.json()
    assert second.headers["idempotent-replayed"] == "true"
    problem(other, 422, "idempotency-key-reused")


def test_an_id_is_for_one_saga(town: Town, key: str) -> None:
    town.port(key)
    town.vessel(key)
    body = {"vessel_id": key, "port_id": key}
    first = town.post(f"/v1/sagas/docking?id={key}", body)

    again = town.post(f"/v1/sagas/docking?id={key}", body)
    other = town.post(f"/v1/sagas/docking?id={key}", {**body, "port_id": "x"})

    assert again.json() == first.json()
    problem(other, 409, "saga-exists")


def test_a_saga_without_an_id_gets_one(town: Town, key: str) -> None:
    response = town.post("/v1/sagas/docking", {"vessel_id": key, "port_id": key})

    assert response.status_code == 409
    assert town.client.get(f"/v1/sagas/docking/{response.json()['saga_id']}").status_code == 200


@pytest.mark.parametrize("id_", ["a:b", "x" * 129, "{a}", ""])
def test_an_id_that_cannot_be_one_is_refused(town: Town, key: str, id_: str) -> None:
    response = town.client.post(
        "/v1/sagas/docking", params={"id": id_ or " "}, json={"vessel_id": "v", "port_id": "p"}
    )

    problem(response, 422, "invalid")


def test_an_input_that_does_not_fit_is_refused(town: Town, key: str) -> None:
    body = problem(town.post(f"/v1/sagas/docking?id={key}", {"vessel": "v"}), 422, "invalid")

    assert body["errors"]
    assert town.client.get(f"/v1/sagas/docking/{key}").status_code == 404


def test_sagas_are_listed(town: Town, key: str) -> None:
    town.post(f"/v1/sagas/docking?id={key}", {"vessel_id": key, "port_id": key})

    items = town.client.get("/v1/sagas/docking?status=compensated&limit=1").json()["items"]

    assert [(item["id"], item["saga"], item["status"]) for item in items] == [
        (key, "docking", "compensated")
    ]
    problem(town.client.get("/v1/sagas/nosaga"), 404, "not-found")


@pytest.mark.parametrize(("verb", "status"), [("cancel", "compensated"), ("kill", "failed")])
def test_a_saga_can_be_ended(town: Town, key: str, verb: str, status: str) -> None:
    port = town.port(key)
    town.vessel(key)
    with town.nobody_at_work():
        body = {"vessel_id": key, "port_id": key}
        town.post(f"/v1/sagas/docking?id={key}", body, Prefer="respond-async")
        town.post(f"/v1/sagas/docking/{key}/{verb}", {"reason": "why"}, Prefer="respond-async")
    where = f"/v1/sagas/docking/{key}"
    wait_until(lambda: town.client.get(where).json()["status"] in {status, "completed"})

    shown = town.client.get(where).json()

    if shown["status"] == status:  # the saga may have been faster
        assert shown["problem"]["detail"] == "why"
        wait_until(lambda: town.client.get(port).json()["state"]["reservations"] == {})


def test_a_saga_that_has_ended_cannot_be_cancelled(town: Town, key: str) -> None:
    town.post(f"/v1/sagas/docking?id={key}", {"vessel_id": key, "port_id": key})

    problem(town.post(f"/v1/sagas/docking/{key}/cancel"), 409, "saga-ended")
    problem(town.post(f"/v1/sagas/docking/{key}/kill"), 409, "saga-ended")


def test_a_saga_that_was_delayed_is_there_but_cannot_be_cancelled_yet(town: Town, key: str) -> None:
    body = {"vessel_id": key, "port_id": key}
    town.post(f"/v1/sagas/docking?id={key}&delay=60s", body)

    assert town.client.get(f"/v1/sagas/docking/{key}").json()["started_at"] is None
    problem(town.post(f"/v1/sagas/docking/{key}/cancel"), 409, "saga-not-started")


def test_a_saga_that_does_not_exist_cannot_be_cancelled(town: Town, key: str) -> None:
    problem(town.post(f"/v1/sagas/docking/{key}/cancel"), 404, "not-found")
    problem(town.post(f"/v1/sagas/nosaga/{key}/cancel"), 404, "not-found")
    problem(town.post(f"/v1/sagas/docking/{key}/cancel", {"x": 1}), 422, "invalid")
