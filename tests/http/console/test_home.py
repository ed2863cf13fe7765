"""Home: everything that will not go on by itself, each with its remedy."""

import shlex

from starlette.requests import Request

from tests.http.console.reading import press, twin, visit
from tests.http.town import Town, wait_until
from wherry.cli.main import build
from wherry.http.console.pages import Here
from wherry.http.console.templating import environment

Need = dict[str, object]


def needs(town: Town, what: str) -> list[Need]:
    return [need for need in twin(town, "/console")["items"] if need["what"] == what]


def about(town: Town, what: str, subject: str) -> Need | None:
    return next((need for need in needs(town, what) if need["subject"] == subject), None)


def test_when_nothing_needs_anybody_it_says_so() -> None:
    scope = {"type": "http", "path": "/console", "headers": [], "query_string": b""}
    scope |= {"server": ("127.0.0.1", 80), "scheme": "http", "root_path": ""}
    html = (
        environment()
        .get_template("home.html")
        .render(items=[], here=Here(Request(scope), ""), namespace="wherry")
    )

    assert "nothing needs you" in html


def test_dead_letters_are_grouped_by_what_went_wrong(town: Town, key: str) -> None:
    for number in range(3):
        town.post(f"/v1/lamp/{key}-{number}/Break", {"why": f"fuse {key}"})

    [group] = [need for need in needs(town, "dead") if need["said"] == f"RuntimeError: fuse {key}"]

    assert (group["subject"], group["count"]) == ("handler-failed", 3)
    assert f"fuse {key}" in visit(town, "/console").text


def test_a_stopped_entity_is_let_go_on_by_a_button(town: Town, key: str) -> None:
    town.post(f"/v1/boiler/{key}/Fail", {"how": "fatal"})
    need = about(town, "stopped", f"boiler/{key}")
    assert need is not None
    assert need["cli"] == f"wherry attention restart boiler/{key}"

    response = press(town, f"/console/do/restart?entity=boiler/{key}")

    assert response.status_code == 303
    wait_until(lambda: about(town, "stopped", f"boiler/{key}") is None)
    assert press(town, f"/console/do/restart?entity=boiler/{key}").status_code == 404
    assert press(town, "/console/do/restart").status_code == 422


def test_a_parked_call_is_tried_again_by_a_button(town: Town, key: str) -> None:
    with town.a_runner():
        town.post(f"/v1/boiler/{key}/Fetch", {"litres": 100}, Prefer="respond-async")
        path = "/v1/effects?state=parked"
        wait_until(lambda: any(c["entity"] == f"boiler/{key}" for c in items(town, path)), 30)
    [call] = [c for c in items(town, "/v1/effects?state=parked") if c["entity"] == f"boiler/{key}"]
    need = about(town, "parked", call["id"])
    assert need is not None
    assert need["cli"] == f"wherry effects retry {call['id']}"

    assert press(town, f"/console/do/retry-call?id={call['id']}").status_code == 303

    assert about(town, "parked", call["id"]) is None
    town.post(f"/v1/effects/{call['id']}/resolve", {"error": "not needed"})


def items(town: Town, path: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = town.client.get(path).json()["items"]
    return found


def test_what_is_paused_is_there_until_it_is_resumed(town: Town, key: str) -> None:
    town.port(key)
    town.post("/v1/paused", {"what": f"port/{key}", "reason": "new quay"})
    need = about(town, "paused", f"port/{key}")
    assert need is not None
    assert "new quay" in str(need["said"])

    assert press(town, f"/console/do/resume?what=port/{key}").status_code == 303

    wait_until(lambda: about(town, "paused", f"port/{key}") is None)


def test_a_message_that_nobody_takes_is_there_and_so_is_a_missing_worker(
    town: Town, key: str
) -> None:
    with town.nobody_at_work():
        town.post(f"/v1/lamp/{key}/Switch", Prefer="respond-async")
        assert not needs(town, "waiting")  # nobody has waited for long yet
        wait_until(lambda: needs(town, "waiting"), 15)

    # No scheduler and no runner is part of this town.
    missing = {str(need["subject"]) for need in needs(town, "missing")}
    assert missing & {"sweep", "effects workers"}
    town.rest()


def test_a_saga_that_turns_back_is_there_and_is_ended_by_a_button(town: Town, key: str) -> None:
    town.port(key)
    town.vessel(key)
    town.post("/v1/paused", {"what": f"port/{key}"})
    body = {"vessel_id": key, "port_id": key}
    town.post(f"/v1/sagas/docking?id={key}", body, Prefer="respond-async")
    saga = f"/v1/sagas/docking/{key}"
    wait_until(lambda: town.client.get(saga).json()["started_at"])

    cancelled = press(
        town, f"/console/do/cancel?saga=docking&id={key}", f"/console/sagas/docking/{key}"
    )

    assert cancelled.headers["location"] == f"/console/sagas/docking/{key}"
    need = about(town, "saga", f"docking/{key}")
    assert need is not None
    assert "cancelled; waits for reserve" in str(need["said"])
    assert press(town, f"/console/do/kill?saga=docking&id={key}").status_code == 303
    assert town.client.get(saga).json()["status"] == "failed"
    assert press(town, f"/console/do/kill?saga=docking&id={key}").status_code == 409
    assert about(town, "saga", f"docking/{key}") is None  # who killed it knows
    town.post("/v1/paused/resume", {"what": f"port/{key}"})


def test_every_remedy_is_a_command_that_there_is(town: Town) -> None:
    app = build()
    for need in twin(town, "/console")["items"]:
        words = shlex.split(need["cli"])
        assert words[0] == "wherry"
        command, *_ = app.parse_args(words[1:], print_error=False, exit_on_error=False)
        assert callable(command), need


def test_a_saga_that_could_not_undo_all_is_there_and_tries_again(town: Town, key: str) -> None:
    town.post(f"/v1/kettle/{key}-a/Jam")
    body = {"kettle": f"{key}-a", "other": f"{key}-b", "breaks": True}
    town.post(f"/v1/sagas/brew?id={key}", body)
    need = about(town, "saga", f"brew/{key}")
    assert need is not None
    assert need["cli"] == f"wherry saga retry brew {key}"
    assert "Undo again…" in visit(town, f"/console/sagas/brew/{key}").text

    town.post(f"/v1/kettle/{key}-a/Jam", {"jammed": False})
    assert press(town, f"/console/do/retry-saga?saga=brew&id={key}").status_code == 303

    saga = f"/v1/sagas/brew/{key}"
    wait_until(lambda: town.client.get(saga).json()["status"] == "compensated")
    assert about(town, "saga", f"brew/{key}") is None
