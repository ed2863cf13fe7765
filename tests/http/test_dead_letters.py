"""Dead letters over HTTP."""

from typing import Any

import pytest

from tests.http.test_commands import problem
from tests.http.town import Town, wait_until


def buried(town: Town, key: str) -> str:
    """Break a lamp; return the id of its dead letter."""
    town.post(f"/v1/lamp/{key}/Break", {"why": "test"})
    letters = town.client.get("/v1/dead").json()["items"]
    return next(str(letter["id"]) for letter in letters if letter["entity"] == f"lamp/{key}")


def test_a_dead_letter_tells_what_could_not_be_handled_and_why(town: Town, key: str) -> None:
    letter = town.client.get(f"/v1/dead/{buried(town, key)}").json()

    assert (letter["type"], letter["code"]) == ("Break", "handler-failed")
    assert "RuntimeError: test" in letter["error"]
    assert letter["message"]["data"] == {"why": "test"}
    assert letter["command_id"] == letter["message"]["id"]


def test_a_dead_letter_can_be_sent_again(town: Town, key: str) -> None:
    id_ = buried(town, key)

    response = town.post(f"/v1/dead/{id_}/retry")

    assert response.json()["status"] == "retried"
    problem(town.client.get(f"/v1/dead/{id_}"), 404, "not-found")
    wait_until(lambda: buried_again(town, key, id_))


def buried_again(town: Town, key: str, first: str) -> bool:
    letters = town.client.get("/v1/dead").json()["items"]
    return any(one["entity"] == f"lamp/{key}" and one["id"] != first for one in letters)


def test_a_dead_letter_can_be_dropped(town: Town, key: str) -> None:
    id_ = buried(town, key)

    response = town.post(f"/v1/dead/{id_}/drop")

    assert response.json()["status"] == "dropped"
    problem(town.post(f"/v1/dead/{id_}/drop"), 404, "not-found")


def test_the_newest_dead_letter_comes_first(town: Town, key: str) -> None:
    buried(town, key)
    newest = buried(town, f"{key}-2")

    letters = town.client.get("/v1/dead?limit=1").json()["items"]

    assert [letter["id"] for letter in letters] == [newest]


@pytest.mark.parametrize("id_", ["x", "0-1-1", "99-1-1", "0-1-1-1", "%C2%B2-1-1", "0-*"])
def test_a_dead_letter_that_is_not_there_is_not_found(town: Town, id_: str) -> None:
    problem(town.client.get(f"/v1/dead/{id_}"), 404, "not-found")
    problem(town.post(f"/v1/dead/{id_}/retry"), 404, "not-found")
    problem(town.post(f"/v1/dead/{id_}/drop"), 404, "not-found")


# -- many -----------------------------------------------------------------------------------------


def letters(town: Town, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = town.client.get(f"/v1/dead?{query}").json()["items"]
    return found


def test_dead_letters_are_listed_by_entity_and_by_code(town: Town, key: str) -> None:
    id_ = buried(town, key)
    other = buried(town, f"{key}-2")

    assert [one["id"] for one in letters(town, f"entity=lamp/{key}")] == [id_]
    assert [one["id"] for one in letters(town, f"entity=lamp/{key}&code=handler-failed")] == [id_]
    assert letters(town, f"entity=lamp/{key}&code=unreadable") == []
    assert {id_, other} <= {one["id"] for one in letters(town, "code=handler-failed&limit=1000")}


def test_a_filter_finds_what_many_newer_ones_hide(town: Town, key: str) -> None:
    id_ = buried(town, key)
    dead = town.runtime.store.keys.partition(int(id_.partition("-")[0])).dead
    newer = [town.redis.xadd(dead, {"entity": "lamp/x", "code": "test"}) for _ in range(450)]

    assert [one["id"] for one in letters(town, f"entity=lamp/{key}&limit=1")] == [id_]
    assert len(letters(town, "code=test&limit=1000")) == 450
    town.redis.xdel(dead, *newer)


def test_the_letters_of_an_entity_are_sent_again_in_the_order_in_which_they_failed(
    town: Town, key: str
) -> None:
    other = buried(town, f"{key}-2")
    for why in "abc":
        town.post(f"/v1/lamp/{key}/Break", {"why": why})
    before = letters(town, f"entity=lamp/{key}")

    done = town.post(f"/v1/dead/retry?entity=lamp/{key}").json()

    assert [row["id"] for row in done["items"]] == [one["id"] for one in reversed(before)]
    assert {row["status"] for row in done["items"]} == {"retried"}
    assert done["more"] is False
    wait_until(lambda: len(letters(town, f"entity=lamp/{key}")) == 3)
    after = letters(town, f"entity=lamp/{key}")
    assert [one["message"]["data"]["why"] for one in after] == ["c", "b", "a"]
    assert not {one["id"] for one in before} & {one["id"] for one in after}
    assert town.client.get(f"/v1/dead/{other}").status_code == 200


def test_only_so_many_are_sent_and_a_dry_run_sends_none(town: Town, key: str) -> None:
    for why in "abc":
        town.post(f"/v1/lamp/{key}/Break", {"why": why})
    path = f"/v1/dead/retry?entity=lamp/{key}&code=handler-failed&limit=2"

    dry = town.post(f"{path}&dry_run=true").json()

    assert ([row["status"] for row in dry["items"]], dry["more"]) == (["would retry"] * 2, True)
    assert len(letters(town, f"entity=lamp/{key}")) == 3
    done = town.post(path).json()
    assert [row["id"] for row in done["items"]] == [row["id"] for row in dry["items"]]


@pytest.mark.parametrize(
    "query",
    ["", "limit=1", "all=false", "all=yes", "all=true&code=x", "entity=", "code=x&dry_run=1",
     "code=x&limit=0", "code=x&limit=1001", "kind=lamp"],
)  # fmt: skip
def test_many_have_to_be_named(town: Town, query: str) -> None:
    problem(town.post(f"/v1/dead/retry?{query}"), 422, "invalid")


def test_all_can_be_said(town: Town, key: str) -> None:
    id_ = buried(town, key)

    dry = town.post("/v1/dead/retry?all=true&dry_run=true").json()

    assert id_ in [row["id"] for row in dry["items"]]
    problem(town.client.get("/v1/dead/retry"), 404, "not-found")


# -- what an entity left to the outside world -----------------------------------------------------


def test_a_call_that_failed_for_good_is_made_again_when_its_letter_is_retried(
    town: Town, key: str
) -> None:
    with town.a_runner():
        command = town.post(f"/v1/boiler/{key}/Pour").json()["command_id"]
        place = f"entity=well/{command}"
        wait_until(lambda: letters(town, place))
        (first,) = letters(town, place)
        assert (first["type"], first["code"]) == ("Spill", "effect-failed")
        assert "the well is closed" in first["error"]

        assert town.post(f"/v1/dead/{first['id']}/retry").status_code == 200

        wait_until(lambda: [one for one in letters(town, place) if one["id"] != first["id"]])
        (second,) = letters(town, place)
        assert second["command_id"] != first["command_id"]
