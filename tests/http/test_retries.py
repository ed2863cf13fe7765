"""Sagas that could not undo everything, and dead letters that a saga has given up."""

from typing import Any

from tests.http.test_commands import problem
from tests.http.town import Town, wait_until


def brew(town: Town, key: str, *, jam: bool = False) -> dict[str, Any]:
    """A saga whose second step breaks; with `jam` its first cannot be undone."""
    if jam:
        assert town.post(f"/v1/kettle/{key}-a/Jam").status_code == 200
    body = {"kettle": f"{key}-a", "other": f"{key}-b", "breaks": True}
    assert town.post(f"/v1/sagas/brew?id={key}", body).status_code == 409
    shown: dict[str, Any] = town.client.get(f"/v1/sagas/brew/{key}").json()
    return shown


def letter_of(town: Town, key: str) -> str:
    query = f"entity=kettle/{key}-b"
    (letter,) = town.client.get(f"/v1/dead?{query}").json()["items"]
    return str(letter["id"])


def litres(town: Town, name: str) -> int:
    return int(town.client.get(f"/v1/kettle/{name}").json()["state"]["litres"])


def test_undos_that_were_refused_are_sent_again(town: Town, key: str) -> None:
    assert brew(town, key, jam=True)["status"] == "failed"
    assert litres(town, f"{key}-a") == 1
    path = f"/v1/sagas/brew/{key}"
    assert town.post(f"{path}/retry").status_code == 200
    wait_until(lambda: town.client.get(path).json()["status"] == "failed")
    town.post(f"/v1/kettle/{key}-a/Jam", {"jammed": False})

    response = town.post(f"{path}/retry", {"reason": "it moves again"})

    assert response.status_code == 200
    wait_until(lambda: town.client.get(path).json()["status"] == "compensated")
    shown = town.client.get(path).json()
    assert shown["problem"]["code"] == "handler-failed"
    assert [step["status"] for step in shown["steps"]] == ["undone", "failed"]
    assert litres(town, f"{key}-a") == 0
    problem(town.post(f"{path}/retry"), 409, "saga-ended")


def test_what_has_nothing_to_try_again_says_so(town: Town, key: str) -> None:
    problem(town.post(f"/v1/sagas/brew/{key}/retry"), 404, "not-found")
    problem(town.post("/v1/sagas/stew/x/retry"), 404, "not-found")
    town.post("/v1/paused", {"what": f"kettle/{key}-b"})
    body = {"kettle": f"{key}-a", "other": f"{key}-b"}
    town.post(f"/v1/sagas/brew?id={key}", body, Prefer="respond-async")
    wait_until(lambda: town.client.get(f"/v1/sagas/brew/{key}").json()["started_at"])
    problem(town.post(f"/v1/sagas/brew/{key}/retry"), 409, "saga-running")
    problem(town.post(f"/v1/sagas/brew/{key}/retry", {"x": 1}), 422, "invalid")
    assert town.post(f"/v1/sagas/brew/{key}/kill").status_code == 200
    problem(town.post(f"/v1/sagas/brew/{key}/retry"), 409, "saga-ended")
    town.post("/v1/paused/resume", {"what": f"kettle/{key}-b"})
    town.rest()


def test_a_letter_that_a_saga_has_given_up_is_sent_only_if_that_is_meant(
    town: Town, key: str
) -> None:
    assert brew(town, key)["status"] == "compensated"
    id_ = letter_of(town, key)
    before = town.client.get(f"/v1/sagas/brew/{key}/").status_code

    refused = town.post(f"/v1/dead/{id_}/retry")

    problem(refused, 409, "step-given-up")
    assert f"saga brew {key}" in refused.json()["detail"]
    assert town.client.get(f"/v1/dead/{id_}").status_code == 200
    many = town.post(f"/v1/dead/retry?entity=kettle/{key}-b").json()["items"]
    assert [(row["id"], row["status"], row["code"]) for row in many] == [
        (id_, "refused", "step-given-up")
    ]
    dry = town.post(f"/v1/dead/retry?entity=kettle/{key}-b&dry_run=true").json()["items"]
    assert [row["status"] for row in dry] == ["refused"]

    assert town.post(f"/v1/dead/{id_}/retry?force=true").json()["status"] == "retried"
    wait_until(lambda: letter_of(town, key) != id_)
    assert town.client.get(f"/v1/sagas/brew/{key}/").status_code == before


def test_force_is_true_or_false(town: Town) -> None:
    problem(town.post("/v1/dead/0-1-1/retry?force=1"), 422, "invalid")
