"""The page of a saga: how far it has come, when what happened, and what was undone."""

import re

from tests.http.console.reading import twin, visit
from tests.http.town import Town, wait_until


def start(town: Town, key: str, vessel: str, **headers: str) -> None:
    town.post(f"/v1/sagas/docking?id={key}", {"vessel_id": vessel, "port_id": key}, **headers)


def test_a_completed_saga_has_a_bar_for_each_step_and_leads_to_what_it_caused(
    town: Town, key: str
) -> None:
    town.port(key)
    town.vessel(key)
    start(town, key, key)

    shown = twin(town, f"/console/sagas/docking/{key}")
    page = visit(town, f"/console/sagas/docking/{key}")

    assert shown["status"] == "completed"
    lanes = shown["timeline"]["lanes"]
    assert [lane["step"] for lane in lanes] == ["reserve", "arrive", "confirm"]
    assert all(lane["segments"][-1]["state"] == "done" for lane in lanes)
    assert lanes[0]["versions"] == [2]
    assert f"/console/entities/port/{key}?at=2" in page.links
    assert shown["timeline"]["undos"] == []
    assert {"svg", "rect"} <= set(page.open)


def test_a_saga_that_turned_back_has_its_undos_mirrored(town: Town, key: str) -> None:
    town.port(key)
    town.vessel(f"{key}-far", latitude=10.0)
    start(town, key, f"{key}-far")

    shown = twin(town, f"/console/sagas/docking/{key}")
    html = town.client.get(f"/console/sagas/docking/{key}", headers={"Accept": "text/html"}).text

    assert shown["status"] == "compensated"
    [undo] = shown["timeline"]["undos"]
    assert (undo["step"], undo["status"]) == ("reserve", "undone")
    assert undo["segments"][0]["from"] <= undo["segments"][0]["to"]
    statuses = [step["status"] for stage in shown["diagram"]["stages"] for step in stage["steps"]]
    assert statuses == ["undone", "rejected", "not-reached"]
    bars = re.findall(r'class="bar b-(\w+)" x="([\d.]+)" y="([\d.]+)"', html.partition("legend")[0])
    axis = float(re.findall(r'class="axis" d="M\d+ ([\d.]+)H', html)[0])
    assert [tone for tone, _, y in bars if float(y) > axis] == ["undo"]


def test_a_saga_that_waits_says_for_what(town: Town, key: str) -> None:
    town.port(key)
    town.vessel(key)
    town.post("/v1/paused", {"what": f"port/{key}"})
    start(town, key, key, Prefer="respond-async")
    saga = f"/v1/sagas/docking/{key}"
    wait_until(lambda: town.client.get(saga).json()["started_at"])

    shown = twin(town, f"/console/sagas/docking/{key}")
    page = visit(town, f"/console/sagas/docking/{key}")

    [lane] = shown["timeline"]["lanes"]
    assert [segment["state"] for segment in lane["segments"]] == ["waiting"]
    assert {"Cancel…", "Kill…"} <= set(page.text.replace(" Cancel…", " Cancel… ").split())
    assert f"wherry saga cancel docking {key}" in page.text
    town.post("/v1/paused/resume", {"what": f"port/{key}"})
    wait_until(lambda: town.client.get(saga).json()["status"] == "completed")
    [reserve, *_] = twin(town, f"/console/sagas/docking/{key}")["timeline"]["lanes"]
    assert [segment["state"] for segment in reserve["segments"]] == ["waiting", "done"]


def test_a_saga_that_has_not_begun_has_a_page(town: Town, key: str) -> None:
    body = {"vessel_id": key, "port_id": key}
    town.post(f"/v1/sagas/docking?id={key}&delay=PT1H", body)

    page = visit(town, f"/console/sagas/docking/{key}")

    assert "waits to be started" in page.text
    assert "Cancel…" not in page.text


def test_names_and_lists_lead_to_sagas(town: Town, key: str) -> None:
    town.port(key)
    town.vessel(key)
    start(town, key, key)

    [docking] = [row for row in twin(town, "/console/sagas")["items"] if row["saga"] == "docking"]
    page = visit(town, "/console/sagas/docking?status=completed")

    assert {"status": "completed", "count": 0} not in docking["statuses"]
    assert f"/console/sagas/docking/{key}" in page.links
    assert (
        f"/console/sagas/docking/{key}"
        not in visit(town, "/console/sagas/docking?status=failed").links
    )
