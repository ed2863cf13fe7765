"""The page of an entity: its past, what it holds and waits for, and what it refused."""

from tests.http.console.reading import twin, visit
from tests.http.town import Town


def test_the_state_at_any_version_with_links_to_the_others(town: Town, key: str) -> None:
    town.port(key, 5)
    for capacity in (6, 7):
        town.post(f"/v1/port/{key}/ChangeCapacity", {"capacity": capacity})
    path = f"/console/entities/port/{key}"

    now, then = twin(town, path), twin(town, f"{path}?at=2")

    assert (now["version"], now["state"]["capacity"]) == (3, 7)
    assert (then["version"], then["newest"], then["state"]["capacity"]) == (2, 3, 6)
    page = visit(town, f"{path}?at=2")
    assert {f"{path}?at=1", f"{path}?at=3", path} <= set(page.links)
    visit(town, f"{path}?at=4", 404)


def test_each_event_says_what_it_changed(town: Town, key: str) -> None:
    town.port(key, 5)
    town.post(f"/v1/port/{key}/ChangeCapacity", {"capacity": 6})
    town.post(f"/v1/port/{key}/ClosePort")

    events = twin(town, f"/console/entities/port/{key}")["history"]["events"]

    assert [event["type"] for event in events] == [
        "PortClosed",
        "CapacityChanged",
        "PortRegistered",
    ]
    assert events[0]["changes"] == [{"path": "/status", "from": "open", "to": "closed"}]
    assert events[1]["changes"] == [{"path": "/capacity", "from": 5, "to": 6}]


def test_a_long_past_comes_page_by_page(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch", {"times": 2500})
    path = f"/console/entities/lamp/{key}"

    newest = twin(town, path)["history"]
    older = twin(town, f"{path}?at={newest['older']}")["history"]

    assert [event["version"] for event in newest["events"]] == list(range(2500, 2480, -1))
    assert older["events"][0]["version"] == 2480
    assert older["events"][0]["changes"] == [{"path": "/switched", "from": 2479, "to": 2480}]
    assert twin(town, f"{path}?at=5")["history"]["older"] is None


def test_rejected_commands_say_why(town: Town, key: str) -> None:
    town.port(key, 5)
    town.post(f"/v1/port/{key}/UndockVessel", {"vessel_id": "ghost"})

    shown = twin(town, f"/console/entities/port/{key}")["rejected"]

    assert shown["complete"]
    [row] = shown["items"]
    assert row["problem"]["code"] == "not-docked-here"
    assert "ghost is not docked" in visit(town, f"/console/entities/port/{key}").text


def test_holds_and_timers_say_when_they_end(town: Town, key: str) -> None:
    town.port(key, 5)
    asked = {"reservation_id": f"r-{key}", "vessel_id": "v1", "hold_for": "PT600S"}
    reply = town.post(f"/v1/port/{key}/ReserveDocking", asked).json()["reply"]
    town.post(f"/v1/port/{key}/ChangeCapacity?delay=PT1H", {"capacity": 3})

    shown = twin(town, f"/console/entities/port/{key}")

    [pool] = shown["pools"]
    assert (pool["name"], pool["limit"], pool["used"]) == ("berths", 5, 1)
    assert pool["holds"] == [{"id": f"r-{key}", "until": reply["expires_at"]}]
    assert [timer["command"] for timer in shown["timers"]] == [
        "ExpireReservation",
        "ChangeCapacity",
    ]
    assert shown["timers"][0]["due"] == reply["expires_at"]


def test_messages_that_wait_or_are_held_back_are_there(town: Town, key: str) -> None:
    town.port(key, 5)
    path = f"/console/entities/port/{key}"
    with town.nobody_at_work():
        town.post(f"/v1/port/{key}/ClosePort", Prefer="respond-async")
        waiting = twin(town, path)["waiting"]
    town.rest()
    town.post("/v1/paused", {"what": f"port/{key}"})
    town.post(f"/v1/port/{key}/OpenPort", Prefer="respond-async")
    town.rest()
    held = twin(town, path)["held"]
    town.post("/v1/paused/resume", {"what": f"port/{key}"})

    assert [message["command"] for message in waiting] == ["ClosePort"]
    assert [message["command"] for message in held] == ["OpenPort"]
    assert "OpenPort" in visit(town, path).text


def test_an_entity_that_cannot_be_read_still_shows_what_happened(town: Town, key: str) -> None:
    town.port(key, 5)
    own = town.runtime.store.keys.partition(town.runtime.registry.partition_of(f"port/{key}"))
    entry = {"type": "PortSank", "data": "{}", "at": 1, "id": "x"}
    town.redis.xadd(own.log("port", key), entry, id="2-0")
    town.redis.hset(own.entity("port", key), "version", 2)
    path = f"/console/entities/port/{key}"

    shown, then = twin(town, path), twin(town, f"{path}?at=1")
    visit(town, path)

    assert "PortSank" in shown["damaged"]
    assert shown["history"]["events"][0]["fault"]
    assert then["state"]["capacity"] == 5
    town.redis.delete(own.entity("port", key), own.log("port", key))
    town.redis.zrem(own.index("port"), key)
    town.redis.zrem(own.index("port", "open"), key)


def test_the_state_at_an_instant(town: Town, key: str) -> None:
    town.port(key, 5)
    path = f"/console/entities/port/{key}"
    at = twin(town, path)["updated_at"]
    town.post(f"/v1/port/{key}/ChangeCapacity", {"capacity": 6})

    assert twin(town, f"{path}?at={at}")["version"] == 1


def test_kinds_and_lists_lead_to_entities(town: Town, key: str) -> None:
    town.port(key, 5)
    town.post(f"/v1/port/{key}/ClosePort")

    kinds = {row["kind"]: row for row in twin(town, "/console/entities")["items"]}
    page = visit(town, "/console/entities/port?status=closed")

    counts = {one["status"]: one["count"] for one in kinds["port"]["statuses"]}
    assert kinds["port"]["count"] == sum(counts.values())
    assert counts["closed"] >= 1
    assert f"/console/entities/port/{key}" in page.links
    assert (
        f"/console/entities/port/{key}"
        not in visit(town, "/console/entities/port?status=open").links
    )
