"""Dead letters over HTTP."""

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
