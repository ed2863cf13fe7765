"""Time travel by HTTP: states of then, and what changed in between."""

import time

import pytest

from tests.http.town import Town
from wherry.gateway import shapes


@pytest.fixture(scope="module")
def port(town: Town) -> str:
    """A port with four versions; between the second and the third lies a moment."""
    path = town.port("traveller")
    town.post(f"{path}/ChangeCapacity", {"capacity": 7})
    time.sleep(0.01)
    town.post(f"{path}/ChangeCapacity", {"capacity": 8})
    town.post(f"{path}/ClosePort")
    return path


@pytest.fixture(scope="module")
def times(town: Town, port: str) -> list[str]:
    return [event["at"] for event in town.client.get(f"{port}/events").json()["events"]]


def test_a_state_can_be_asked_for_by_version_and_by_instant(
    town: Town, port: str, times: list[str]
) -> None:
    by_version = town.client.get(port, params={"at": 2})
    by_instant = town.client.get(port, params={"at": times[1]})

    assert by_version.status_code == 200
    assert by_version.json() == by_instant.json()
    shown = by_instant.json()
    assert (shown["version"], shown["state"]["capacity"], shown["status"]) == (2, 7, "open")
    assert by_instant.headers["ETag"] == '"v2"'
    later = town.client.get(port, params={"at": "2999-01-01T00:00:00+02:00"}).json()
    assert later == town.client.get(port).json()


@pytest.mark.parametrize(
    ("at", "status"),
    [
        ("99", 404), ("1999-01-01T00:00:00Z", 404), ("0", 422), ("2026-11-22", 422),
        ("2026-11-22T10:00:00", 422), ("yesterday", 422), ("", 422), ("-1", 422), ("\uff11", 422),
        ("2026-13-22T10:00:00Z", 422), ("9" * 20, 422), ("2026-11-22T10:00:00Z\n", 422),
        ("0001-01-01T00:00:00+23:59", 404),
    ],
)  # fmt: skip
def test_a_time_that_is_none_is_refused(town: Town, port: str, at: str, status: int) -> None:
    for path, name in ((port, "at"), (f"{port}/diff", "from")):
        if name == "from" and (status == 404 or at == "0"):
            continue
        answer = town.client.get(path, params={name: at})
        assert answer.status_code == status, answer.text
        if status == 422:
            assert answer.json()["errors"][0]["pointer"] == f"/{name}"


def test_a_difference_names_what_changed_and_the_events(
    town: Town, port: str, times: list[str]
) -> None:
    shown = town.client.get(f"{port}/diff", params={"from": 1, "to": 4}).json()

    assert (shown["entity"], shown["from"], shown["to"]) == ("port/traveller", 1, 4)
    assert shown["changes"] == [
        {"path": "/capacity", "from": 10, "to": 8},
        {"path": "/status", "from": "open", "to": "closed"},
    ]
    assert [event["version"] for event in shown["events"]] == [2, 3, 4]
    assert shown["next"] is None
    by_time = {"from": times[0], "to": times[3]}
    assert town.client.get(f"{port}/diff", params=by_time).json() == shown
    assert town.client.get(f"{port}/diff", params={"from": 1}).json() == shown


def test_a_difference_from_nothing_backwards_and_to_itself(town: Town, port: str) -> None:
    first = town.client.get(f"{port}/diff", params={"from": 0, "to": 1}).json()
    assert {"path": "/name", "from": "", "to": "traveller"} in first["changes"]
    back = town.client.get(f"{port}/diff", params={"from": 3, "to": 2}).json()
    assert back["changes"] == [{"path": "/capacity", "from": 8, "to": 7}]
    assert [event["version"] for event in back["events"]] == [3]
    same = town.client.get(f"{port}/diff", params={"from": 2, "to": 2}).json()
    assert (same["changes"], same["events"]) == ([], [])


def test_what_is_not_there_has_no_difference(town: Town, port: str) -> None:
    assert town.client.get(f"{port}/diff").status_code == 422
    assert town.client.get(f"{port}/diff", params={"from": 1, "to": 9}).status_code == 404
    assert town.client.get("/v1/port/nowhere/diff", params={"from": 0}).status_code == 404
    assert town.client.get("/v1/nothing/x/diff", params={"from": 0}).status_code == 404
    assert town.client.get(f"{port}/diff", params={"from": 1, "upto": 2}).status_code == 422


def test_an_instant_is_that_of_the_last_event_before_it(town: Town, port: str) -> None:
    """Whatever the millisecond: each event's own time gives a version that is not before it."""
    runtime = town.runtime
    key = runtime.store.keys.partition(runtime.registry.partition_of("port/clock"))
    town.port("clock")
    log = key.log("port", "clock")
    found = town.redis.xrange(log)
    at = int(found[0][1][b"at"])
    for moved, status in ((-1, 404), (0, 200), (1, 200)):
        answer = town.client.get("/v1/port/clock", params={"at": shapes.instant(at + moved)})
        assert answer.status_code == status
