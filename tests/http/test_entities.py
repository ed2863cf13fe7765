"""Reading entities over HTTP: states, events, lists, streams."""

import json
import re
import threading
import time
from collections.abc import Iterator
from urllib.parse import unquote

import httpx
import pytest

from tests.http.test_commands import problem
from tests.http.town import Town, wait_until

STREAM = {"Accept": "text/event-stream"}
LINES = {"Accept": "application/x-ndjson"}


# -- states ---------------------------------------------------------------------------------------


def test_a_state_has_its_version_as_tag(town: Town, key: str) -> None:
    port = town.port(key)

    response = town.client.get(port)

    assert response.headers["etag"] == '"v1"'
    body = response.json()
    assert set(body) == {"entity", "kind", "key", "version", "status", "state", "updated_at"}
    assert (body["entity"], body["kind"], body["key"]) == (f"port/{key}", "port", key)
    assert (body["version"], body["status"], body["state"]["name"]) == (1, "open", key)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["updated_at"])


def test_a_state_can_be_read_as_it_was(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch", {"times": 3})

    response = town.client.get(f"/v1/lamp/{key}?at=2")

    assert response.json()["version"] == 2
    assert response.json()["state"]["switched"] == 2
    assert response.headers["etag"] == '"v2"'
    problem(town.client.get(f"/v1/lamp/{key}?at=4"), 404, "not-found")


@pytest.mark.parametrize("path", ["/v1/port/{}", "/v1/port/{}/events", "/v1/sagas/docking/{}",
                                  "/v1/nokind/{}", "/v1/port/{}:log"])  # fmt: skip
def test_nothing_is_found_where_nothing_has_happened(town: Town, key: str, path: str) -> None:
    for accept in ("application/json", "application/x-ndjson", "text/event-stream"):
        response = town.client.get(path.format(key), headers={"Accept": accept})
        problem(response, 404, "not-found")


@pytest.mark.parametrize("tags", ['"v1"', 'W/"v1"', '"v7", "v1"', "*"])
def test_a_state_that_the_client_has_is_not_sent_again(town: Town, key: str, tags: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch")

    response = town.client.get(f"/v1/lamp/{key}", headers={"If-None-Match": tags})

    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == '"v1"'


def test_a_state_that_has_changed_is_sent(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch", {"times": 2})

    response = town.client.get(f"/v1/lamp/{key}", headers={"If-None-Match": '"v1"'})

    assert response.json()["version"] == 2


# -- events ---------------------------------------------------------------------------------------


def test_events_come_in_pages(town: Town, key: str) -> None:
    command_id = town.post(f"/v1/lamp/{key}/Switch", {"times": 5}).json()["command_id"]

    first = town.client.get(f"/v1/lamp/{key}/events?limit=2").json()
    second = town.client.get(f"/v1/lamp/{key}/events?limit=3&after={first['next']}").json()

    assert [event["version"] for event in first["events"]] == [1, 2]
    assert [event["version"] for event in second["events"]] == [3, 4, 5]
    assert (first["next"], second["next"]) == (2, None)
    event = first["events"][0]
    assert set(event) == {
        "version", "type", "schema_version", "data", "at", "command_id", "causation_id",
        "correlation_id", "trace_id",
    }  # fmt: skip
    assert (event["type"], event["data"], event["command_id"]) == ("Switched", {}, command_id)


def test_a_long_log_comes_as_lines(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch", {"times": 2500})

    response = town.client.get(f"/v1/lamp/{key}/events", headers=LINES)

    assert response.headers["content-type"] == "application/x-ndjson"
    versions = [json.loads(line)["version"] for line in response.text.splitlines()]
    assert versions == list(range(1, 2501))


def test_lines_begin_and_end_where_they_should(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch", {"times": 1500})

    rest = town.client.get(f"/v1/lamp/{key}/events?after=1499", headers=LINES)
    some = town.client.get(f"/v1/lamp/{key}/events?after=100&limit=1200", headers=LINES)

    assert [json.loads(line)["version"] for line in rest.text.splitlines()] == [1500]
    assert [json.loads(line)["version"] for line in some.text.splitlines()] == [*range(101, 1301)]


def test_the_best_accepted_form_is_chosen(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch")

    for accept, type_ in [
        ("*/*", "application/json"),
        ("application/json;q=0.5, application/x-ndjson", "application/x-ndjson"),
        ("text/event-stream;q=0.1, application/json", "application/json"),
        ("text/html", "application/json"),
    ]:
        response = town.client.get(f"/v1/lamp/{key}/events", headers={"Accept": accept})
        assert response.headers["content-type"] == type_


# -- live -----------------------------------------------------------------------------------------


def sent(response: httpx.Response) -> Iterator[dict[str, str]]:
    """The events of a stream, as an EventSource would see them; a comment is `{"": text}`."""
    event: dict[str, str] = {}
    for line in response.iter_lines():
        if not line:
            yield event
            event = {}
        else:
            name, _, value = line.partition(": ")
            event[name.rstrip(":")] = value


def test_a_stream_follows_what_happens(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch", {"times": 2})

    with town.client.stream("GET", f"/v1/lamp/{key}/events", headers=STREAM) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = sent(response)
        assert "retry" in next(events)
        assert [next(events)["id"] for _ in range(2)] == ["1", "2"]
        late = threading.Timer(0.2, lambda: httpx.post(f"{town.url}/v1/lamp/{key}/Switch"))
        late.start()
        event = next(events)

    assert (event["id"], event["event"]) == ("3", "Switched")
    assert json.loads(event["data"])["version"] == 3


def test_a_stream_goes_on_behind_what_was_seen(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch", {"times": 700})

    headers = {**STREAM, "Last-Event-ID": "2"}
    with town.client.stream("GET", f"/v1/lamp/{key}/events", headers=headers) as response:
        events = sent(response)
        next(events)
        assert [int(next(events)["id"]) for _ in range(698)] == list(range(3, 701))


def test_a_stream_goes_on_at_another_process_when_its_own_stops(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch", {"times": 3})
    path, seen = f"/v1/lamp/{key}/events", []
    door, url = town.open_door()
    with httpx.stream("GET", f"{url}{path}", headers=STREAM, timeout=20) as response:
        events = sent(response)
        next(events)
        seen += [next(events)["id"] for _ in range(3)]
        door.terminate()
        assert list(events) == [], "it ends, and is not cut off"
    assert door.wait(10) == 0

    town.post(f"/v1/lamp/{key}/Switch", {"times": 2})
    headers = {**STREAM, "Last-Event-ID": seen[-1]}
    with town.client.stream("GET", path, headers=headers) as response:
        events = sent(response)
        next(events)
        seen += [next(events)["id"] for _ in range(2)]

    assert seen == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("name", ["%61", "a%2Eb", "a~b", "a.b@c"])
def test_a_key_may_be_written_with_percents(town: Town, key: str, name: str) -> None:
    town.post(f"/v1/lamp/{key}{name}/Switch")

    shown = town.client.get(f"/v1/lamp/{key}{unquote(name)}").json()
    assert shown["key"] == f"{key}{unquote(name)}"


def test_a_percent_does_not_lead_to_another_path(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch")

    for path in (f"/v1/lamp/{key}%2Fevents", f"/v1%2Flamp%2F{key}", f"/v1/lamp/{key}%00"):
        problem(town.client.get(path), 404, "not-found")


def test_a_stream_where_nothing_happens_gives_signs_of_life(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch")
    door, url = town.open_door(heartbeat=0.1)

    path = f"{url}/v1/lamp/{key}/events?after=1"
    with httpx.stream("GET", path, headers=STREAM, timeout=5) as response:
        events = sent(response)
        next(events)
        assert [next(events) for _ in range(3)] == [{"": "still here"}] * 3
    door.terminate()


def test_a_stream_is_patient_for_longer_than_the_driver_is(town: Town, key: str) -> None:
    # redis-py gives up after 5 s, and we ask it to wait for 15: a test of the real time.
    town.post(f"/v1/lamp/{key}/Switch")

    path = f"/v1/lamp/{key}/events?after=1"
    with town.client.stream("GET", path, headers=STREAM, timeout=30) as response:
        events = sent(response)
        next(events)
        assert next(events) == {"": "still here"}


def streams(town: Town) -> int:
    """How many logs are being followed; each has a connection of its own."""
    text = town.client.get("/metrics").text
    (count,) = re.findall(r"^wherry_http_streams (\d+)", text, re.MULTILINE)
    return int(count)


def test_a_stream_that_was_left_leaves_nothing_behind(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch")
    for _ in range(5):
        with town.client.stream("GET", f"/v1/lamp/{key}/events", headers=STREAM) as response:
            events = sent(response)  # kept: a generator that is forgotten ends the stream
            next(events)
            assert streams(town) >= 1

    wait_until(lambda: streams(town) == 0)


@pytest.mark.parametrize("seen", ["x", "-1", "1.5", "9" * 16])
def test_a_stream_behind_nonsense_is_refused(town: Town, key: str, seen: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch")

    headers = {**STREAM, "Last-Event-ID": seen}
    problem(town.client.get(f"/v1/lamp/{key}/events", headers=headers), 422, "invalid")


# -- lists ----------------------------------------------------------------------------------------


def test_a_list_has_the_newest_change_first_and_at_once(town: Town, key: str) -> None:
    for n in range(3):
        town.port(f"{key}-{n}")
        time.sleep(0.002)

    items = town.client.get("/v1/port?limit=3").json()["items"]

    assert [item["key"] for item in items] == [f"{key}-{n}" for n in (2, 1, 0)]
    assert set(items[0]) == {"entity", "kind", "key", "version", "status", "updated_at"}
    assert (items[0]["entity"], items[0]["version"]) == (f"port/{key}-2", 1)


def test_a_list_is_read_page_by_page_without_a_gap(town: Town, key: str) -> None:
    made = {f"{key}-{n}" for n in range(25)}
    for name in made:
        town.post(f"/v1/lamp/{name}/Switch")

    found: list[str] = []
    cursor = ""
    while True:
        page = town.client.get("/v1/lamp", params={"limit": 7, "cursor": cursor}).json()
        found += [item["key"] for item in page["items"]]
        if (cursor := page["next"]) is None:
            break

    assert len(found) == len(set(found))
    assert made <= set(found)


def test_a_list_can_be_of_one_status(town: Town, key: str) -> None:
    town.post(f"{town.port(key)}/ClosePort")
    town.port(f"{key}-open")

    closed = town.client.get("/v1/port?status=closed").json()["items"]

    assert key in [item["key"] for item in closed]
    assert {item["status"] for item in closed} == {"closed"}


def test_a_list_of_an_unknown_kind_is_not_found(town: Town) -> None:
    problem(town.client.get("/v1/nokind"), 404, "not-found")
