"""Stopped entities: what is said of them, and how they go on."""

from typing import Any

import pytest

from tests.http.test_commands import problem
from tests.http.town import Town, wait_until


def stopped(town: Town, key: str) -> dict[str, Any]:
    """Stop a boiler that was heated once; return its entry in the attention list."""
    assert town.post(f"/v1/boiler/{key}/Heat").status_code == 200
    problem(town.post(f"/v1/boiler/{key}/Fail"), 500, "handler-failed")
    return entry(town, key)


def entry(town: Town, key: str, query: str = "") -> dict[str, Any]:
    items: list[dict[str, Any]] = town.client.get(f"/v1/attention{query}").json()["items"]
    return next(item for item in items if item["entity"] == f"boiler/{key}")


def is_listed(town: Town, key: str, query: str = "") -> bool:
    items = town.client.get(f"/v1/attention{query}").json()["items"]
    return f"boiler/{key}" in {item["entity"] for item in items}


def test_a_stopped_entity_says_which_error_at_which_command_has_stopped_it(
    town: Town, key: str
) -> None:
    shown = stopped(town, key)

    assert (shown["stopped"], shown["directive"], shown["restarts"]) == (True, "stop", [])
    assert (shown["command"], shown["version"]) == ("Fail", 1)
    assert "RuntimeError: as it was told: fatal" in shown["error"]
    assert shown["code"] == town.runtime.bundles.code
    status = town.client.get(f"/v1/boiler/{key}/commands/{shown['command_id']}").json()
    assert status["status"] == "dead"


def test_a_stopped_entity_refuses_everything_until_somebody_restarts_it(
    town: Town, key: str
) -> None:
    stopped(town, key)
    assert town.client.get(f"/v1/boiler/{key}").json()["stopped"] is True
    problem(town.post(f"/v1/boiler/{key}/Heat"), 409, "entity-stopped")

    restarted = town.post(f"/v1/attention/boiler/{key}/restart")

    assert restarted.status_code == 200
    assert restarted.json().keys() == {"command_id", "entity", "version", "reply"}
    assert restarted.json()["reply"] == {"restarted": True}
    assert "stopped" not in town.client.get(f"/v1/boiler/{key}").json()
    assert town.post(f"/v1/boiler/{key}/Heat").json()["reply"] == 20
    assert not is_listed(town, key, "?all=true")


def test_a_client_that_has_the_version_learns_that_the_entity_was_stopped(
    town: Town, key: str
) -> None:
    stopped(town, key)

    state = town.client.get(f"/v1/boiler/{key}", headers={"If-None-Match": '"v1"'})

    assert state.json()["stopped"] is True
    assert state.headers["cache-control"] == "no-store"
    town.post(f"/v1/attention/boiler/{key}/restart")
    again = town.client.get(f"/v1/boiler/{key}", headers={"If-None-Match": '"v1"'})
    assert again.status_code == 304


def test_the_newest_comes_first_and_the_list_can_be_short(town: Town, key: str) -> None:
    stopped(town, key)
    stopped(town, f"{key}-2")

    items = town.client.get("/v1/attention?limit=1").json()["items"]

    assert [item["entity"] for item in items] == [f"boiler/{key}-2"]


def test_an_entity_that_was_only_restarted_is_listed_when_it_is_asked_for(
    town: Town, key: str
) -> None:
    problem(town.post(f"/v1/boiler/{key}/Fail", {"how": "transient"}), 500, "handler-failed")

    assert not is_listed(town, key)
    shown = entry(town, key, "?all=true")
    assert (shown["stopped"], shown["directive"]) == (False, "restart")
    assert shown["restarts"] == [shown["since"]]
    assert "stopped" not in town.post(f"/v1/boiler/{key}/Heat").json()
    problem(town.post(f"/v1/attention/boiler/{key}/restart"), 404, "not-found")


def test_too_many_restarts_stop_an_entity(town: Town, key: str) -> None:
    for _ in range(3):
        town.post(f"/v1/boiler/{key}/Fail", {"how": "transient"})

    shown = entry(town, key)
    assert (shown["directive"], len(shown["restarts"])) == ("too-many-restarts", 2)


def test_a_harmless_error_leaves_nothing_behind(town: Town, key: str) -> None:
    town.post(f"/v1/boiler/{key}/Fail", {"how": "harmless"})

    assert not is_listed(town, key, "?all=true")


def test_a_restart_with_an_idempotency_key_can_be_repeated(town: Town, key: str) -> None:
    stopped(town, key)
    path = f"/v1/attention/boiler/{key}/restart"

    first = town.post(path, Idempotency_Key="again")
    second = town.post(path, Idempotency_Key="again")

    assert second.json() == first.json()
    assert second.headers["idempotent-replayed"] == "true"
    problem(town.post(path, Idempotency_Key="other"), 404, "not-found")


def test_a_restart_need_not_be_waited_for(town: Town, key: str) -> None:
    stopped(town, key)

    pending = town.post(f"/v1/attention/boiler/{key}/restart", Prefer="respond-async")

    assert pending.status_code == 202
    place = pending.headers["location"]
    wait_until(lambda: town.client.get(place).json()["status"] == "done")
    assert town.client.get(place).json()["reply"] == {"restarted": True}


def test_an_entity_that_never_was_is_not_stopped(town: Town, key: str) -> None:
    for address in (f"boiler/{key}", f"nokind/{key}", f"well/{key}", "boiler/a:b"):
        problem(town.post(f"/v1/attention/{address}/restart"), 404, "not-found")


@pytest.mark.parametrize("query", ["all=1", "all=", "limit=0", "limit=1001", "kind=boiler"])
def test_a_bad_query(town: Town, query: str) -> None:
    problem(town.client.get(f"/v1/attention?{query}"), 422, "invalid")


def test_a_restart_has_no_fields(town: Town, key: str) -> None:
    stopped(town, key)
    path = f"/v1/attention/boiler/{key}/restart"

    problem(town.post(path, {"why": "x"}), 422, "invalid")
    problem(town.post(path, []), 422, "invalid")
    problem(town.post(f"{path}?delay=1"), 422, "invalid")
    assert is_listed(town, key)


# -- rejections say more, and what is internal stays so -------------------------------------------


def test_the_data_of_a_rejection_is_in_the_problem(town: Town, key: str) -> None:
    body = problem(town.post(f"/v1/boiler/{key}/Heat", {"degrees": 101}), 409, "too-hot")

    assert body["data"] == {"most": 100, "asked": 101}
    status = town.client.get(f"/v1/boiler/{key}/commands/{body['command_id']}").json()
    assert status["problem"]["data"] == body["data"]


def test_what_only_entities_send_is_not_found_from_outside(town: Town, key: str) -> None:
    for name in ("ScrapeOff", "Answer", "wherry.Restart"):
        problem(town.post(f"/v1/boiler/{key}/{name}", {"secret": "x"}), 404, "not-found")
    text = town.client.get("/openapi.json").text + town.client.get("/docs").text
    assert "Heat" in text
    assert not [name for name in ("ScrapeOff", "wherry.Restart", '"Draw"') if name in text]


def test_a_target_is_no_kind_for_outside(town: Town, key: str) -> None:
    problem(town.post(f"/v1/well/{key}/Draw", {"litres": 1}), 404, "not-found")
    problem(town.client.get(f"/v1/well/{key}"), 404, "not-found")
    problem(town.client.get("/v1/well"), 404, "not-found")
