"""Try it: a form that follows from the schema, and the same request by other means."""

import os
import shlex
import subprocess
import sys
from typing import Any

import pytest

from tests.http.console.reading import press, read, twin, visit
from tests.http.town import ROOT, Town

JSON = {"Accept": "application/json"}


def test_a_form_has_an_input_for_each_field_of_the_schema(town: Town) -> None:
    shown = twin(town, "/console/try/port/ReserveDocking")

    inputs = {one["name"]: one for one in shown["inputs"]}
    assert list(inputs) == ["reservation_id", "vessel_id", "hold_for"]
    assert inputs["vessel_id"]["required"]
    assert inputs["hold_for"]["default"] == "PT1800S"
    assert "f.hold_for" in town.client.get("/console/try/port/ReserveDocking").text
    choice = twin(town, "/console/try/boiler/Fail")["inputs"][0]
    assert choice["choices"] == ["transient", "fatal", "harmless"] or set(choice["choices"]) == {
        "transient", "fatal", "harmless",
    }  # fmt: skip


def test_every_command_and_every_saga_is_there_but_what_only_entities_send(town: Town) -> None:
    page = visit(town, "/console/try")

    assert "/console/try/port/ReserveDocking" in page.links
    assert "/console/try/saga.docking/Start" in page.links
    assert "/console/try/boiler/ScrapeOff" not in page.links
    for link in page.links:
        if link.count("/") == 4 and link.startswith("/console/try/"):
            visit(town, link)


def test_what_was_put_in_is_sent_and_the_outcome_is_shown(town: Town, key: str) -> None:
    town.port(key, 1)
    form = {"key": key, "f.reservation_id": "r1", "f.vessel_id": "v1", "f.hold_for": ""}

    done = press(town, "/console/try/port/ReserveDocking", **form)
    full = press(town, "/console/try/port/ReserveDocking", **form | {"f.reservation_id": "r2"})
    wrong = press(town, "/console/try/port/ReserveDocking", **form | {"f.hold_for": "soon"})
    none = press(town, "/console/try/port/ReserveDocking", key="a b")

    page = read(done)
    assert "expires_at" in page.text
    assert f"/console/entities/port/{key}" in page.links
    assert "port-at-capacity" in read(full).text
    assert "/hold_for" in read(wrong).text
    assert "soon" in wrong.text  # what was put in is still there
    assert none.status_code == 404


@pytest.mark.parametrize(("text", "status"), [('{"a": "b"}', "done"), ("{", "refused")])
def test_what_is_no_plain_value_is_put_in_as_json(
    town: Town, key: str, text: str, status: str
) -> None:
    form = {"key": key, "f.labels": text}

    response = town.client.post("/console/try/lamp/Label", data=form, headers=JSON)

    assert response.json()["outcome"]["status"] == status


def test_a_saga_is_started_from_a_form(town: Town, key: str) -> None:
    town.port(key)
    town.vessel(key)
    form = {"key": key, "f.vessel_id": key, "f.port_id": key}

    response = town.client.post("/console/try/saga.docking/Start", data=form, headers=JSON)

    assert response.json()["outcome"]["status"] == "done"
    assert response.json()["outcome"]["path"] == f"/console/sagas/docking/{key}"


def test_a_number_keeps_all_its_digits(town: Town, key: str) -> None:
    form = {"key": key, "f.times": "9007199254740993"}

    response = town.client.post("/console/try/lamp/Switch", data=form, headers=JSON)

    assert "9007199254740993" in response.json()["same"]["curl"]
    assert response.json()["outcome"]["problem"]["code"] == "invalid"


class Lines:
    """The lines of a form that reserves a berth."""

    def __init__(self, town: Town, key: str) -> None:
        town.port(key, 9)
        self.town, self.path = town, f"/v1/port/{key}"
        query = f"key={key}&f.reservation_id=it.s&f.vessel_id=v~1&f.hold_for=PT600S"
        self.same: dict[str, str] = twin(town, f"/console/try/port/ReserveDocking?{query}")["same"]

    def reserved(self) -> Any:
        return self.town.client.get(self.path).json()["state"]["reservations"]


@pytest.fixture
def lines(town: Town, key: str) -> Lines:
    return Lines(town, key)


def test_the_line_for_curl_does_the_same(lines: Lines) -> None:
    words = shlex.split(lines.same["curl"])

    assert words[:3] == ["curl", "-X", "POST"]
    header, body = words[words.index("-H") + 1], words[words.index("-d") + 1]
    name, _, value = header.partition(": ")
    response = lines.town.client.post(words[3], content=body, headers={name: value})

    assert response.status_code == 200
    assert list(lines.reserved()) == ["it.s"]


def test_the_lines_for_python_do_the_same(lines: Lines, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(lines.same["python"], "page", "exec"), {})

    assert capsys.readouterr().out.startswith("200 ")
    assert list(lines.reserved()) == ["it.s"]


def test_the_line_for_a_terminal_does_the_same(lines: Lines) -> None:
    words = shlex.split(lines.same["cli"])
    assert words[0] == "wherry"
    done = subprocess.run(
        [sys.executable, "-m", "wherry.cli.main", *words[1:]],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "runtime"),
            "WHERRY_REDIS_URL": lines.town.server.url,
            "WHERRY_FUNCTIONS": str(lines.town.bundles),
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert list(lines.reserved()) == ["it.s"]
