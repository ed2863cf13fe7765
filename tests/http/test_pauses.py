"""Pauses over HTTP: commands are accepted and wait; everything can be refused instead."""

from typing import Any

import pytest

from tests.http.test_commands import problem
from tests.http.town import Town, wait_until


def paused(town: Town) -> dict[str, dict[str, Any]]:
    items = town.client.get("/v1/paused").json()["items"]
    return {item["what"]: item for item in items}


def switch(town: Town, key: str) -> str:
    """Send a command that nobody waits for; return where its answer will be."""
    response = town.post(f"/v1/lamp/{key}/Switch", Prefer="respond-async")
    assert response.status_code == 202
    return str(response.headers["location"])


def pause(town: Town, what: str, **more: Any) -> dict[str, Any]:
    response = town.post("/v1/paused", {"what": what, **more})
    assert response.status_code == 200, response.text
    shown: dict[str, Any] = response.json()
    return shown


def resume(town: Town, what: str) -> None:
    response = town.post("/v1/paused/resume", {"what": what})
    assert response.json() == {"what": what, "status": "resumed"}


def test_a_paused_entity_takes_commands_and_answers_them_when_it_goes_on(
    town: Town, key: str
) -> None:
    town.post(f"/v1/lamp/{key}/Switch")
    shown = pause(town, f"lamp/{key}", reason="a look")
    assert (shown["status"], shown["refuse"], shown["reason"]) == ("paused", False, "a look")
    assert (shown["by"], shown["held"]) == ("anybody", 0)
    waited = town.post(f"/v1/lamp/{key}/Switch", Prefer="wait=1")
    assert waited.status_code == 202
    places = [waited.headers["location"], switch(town, key)]
    wait_until(lambda: paused(town)[f"lamp/{key}"]["held"] == 2)
    assert town.client.get(f"/v1/lamp/{key}").json()["version"] == 1
    assert town.post(f"/v1/lamp/{key}-2/Switch").status_code == 200

    resume(town, f"lamp/{key}")

    wait_until(lambda: town.client.get(places[1]).json()["status"] == "done")
    assert [town.client.get(place).json()["reply"] for place in places] == [2, 3]
    wait_until(lambda: f"lamp/{key}" not in paused(town))


def test_a_kind_and_everything_can_rest(town: Town, key: str) -> None:
    for what in ("lamp", "*"):
        pause(town, what)
        place = switch(town, key)
        assert town.client.get(place).json()["status"] == "pending"
        assert pause(town, what, reason="again")["reason"] == ""  # it rested already
        wait_until(lambda what=what: paused(town)[what]["held"] == 1)  # type: ignore[misc]
        assert town.client.get(place).json()["status"] == "pending"
        resume(town, what)
        wait_until(lambda place=place: town.client.get(place).json()["status"] == "done")  # type: ignore[misc]


def test_everything_can_be_refused_while_what_was_accepted_goes_on(town: Town, key: str) -> None:
    with town.nobody_at_work():
        place = switch(town, key)
        shown = pause(town, "*", refuse=True)
        assert (shown["what"], shown["refuse"]) == ("*", True)
        refused = town.post(f"/v1/lamp/{key}/Switch")
    problem(refused, 503, "paused")
    assert refused.headers["retry-after"]
    town.rest()
    assert town.client.get(place).json()["status"] == "done"

    resume(town, "*")

    assert town.post(f"/v1/lamp/{key}/Switch").status_code == 200
    assert paused(town) == {}


def test_a_saga_is_paused_by_its_name_or_by_its_kind(town: Town, key: str) -> None:
    assert pause(town, f"docking/{key}")["what"] == f"saga.docking/{key}"
    resume(town, f"saga.docking/{key}")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid"),
        ({"what": 1}, 422, "invalid"),
        ({"what": "lamp", "why": "x"}, 422, "invalid"),
        ({"what": "lamp", "refuse": True}, 422, "invalid"),
        ({"what": "lamp", "reason": "x" * 1001}, 422, "invalid"),
        ({"what": "", "reason": ""}, 404, "not-found"),
        ({"what": "pier"}, 404, "not-found"),
        ({"what": "lamp/a:b"}, 404, "not-found"),
        ({"what": "lamp/"}, 404, "not-found"),
        ({"what": "**"}, 404, "not-found"),
        ([], 422, "invalid"),
    ],
)
def test_what_cannot_be_paused_is_said(town: Town, body: Any, status: int, code: str) -> None:
    problem(town.post("/v1/paused", body), status, code)
    assert paused(town) == {}


def test_what_is_not_paused_cannot_go_on(town: Town, key: str) -> None:
    problem(town.post("/v1/paused/resume", {"what": f"lamp/{key}"}), 404, "not-found")
    problem(town.post("/v1/paused/resume", {"what": "*"}), 404, "not-found")
    problem(town.post("/v1/paused/resume", {}), 422, "invalid")
    problem(town.client.get("/v1/paused?x=1"), 422, "invalid")


def test_what_is_held_back_is_counted(town: Town, key: str) -> None:
    pause(town, f"lamp/{key}")
    switch(town, key)
    wait_until(lambda: paused(town)[f"lamp/{key}"]["held"] == 1)

    queues = town.client.get("/v1/queues").json()["items"]
    metrics = town.client.get("/metrics").text.splitlines()

    assert [queue["held"] for queue in queues].count(1) == 1
    assert sum(float(line.split()[-1]) for line in metrics if "held_messages{" in line) == 1
    assert "wherry_paused 1.0" in metrics
    resume(town, f"lamp/{key}")
    wait_until(lambda: f"lamp/{key}" not in paused(town))
