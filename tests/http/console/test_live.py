"""Live: nothing is lost between the page and its stream, nor between two streams."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from tests.http.console.reading import twin, visit
from tests.http.town import Town, wait_until


@contextmanager
def stream(
    town: Town, position: str, query: str = "", path: str = "/console/live/stream", **headers: str
) -> Iterator[list[str]]:
    """Follow; the lines so far."""
    lines: list[str] = []
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with town.client.stream("GET", f"{path}?after={position}{query}", headers=named) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        reader = threading.Thread(target=_read, args=(response, lines), daemon=True)
        reader.start()
        yield lines


def _read(response: httpx.Response, lines: list[str]) -> None:
    with suppress(httpx.HTTPError, httpx.StreamError):  # it ends when nobody wants more
        for line in response.iter_lines():
            lines.append(line)  # noqa: PERF402 - they are looked at as they come


def versions(lines: list[str], address: str) -> list[int]:
    """The versions of an entity in the order in which their rows would be read, oldest first."""
    pattern = rf'entities/{address}\?at=(\d+)"'
    rows = [re.findall(pattern, line) for line in lines]
    return sorted(int(found) for row in rows for found in row)


def last_id(lines: list[str]) -> str:
    return [line.removeprefix("id: ") for line in lines if line.startswith("id: ")][-1]


def switch(town: Town, key: str, times: int) -> None:
    assert town.post(f"/v1/lamp/{key}/Switch", {"times": times}).status_code == 200


def test_what_happens_between_page_and_stream_and_between_streams_is_all_there(
    town: Town, key: str
) -> None:
    position = twin(town, "/console/live")["position"]
    switch(town, key, 3)
    with stream(town, position) as lines:
        wait_until(lambda: versions(lines, f"lamp/{key}") == [1, 2, 3])
        switch(town, key, 2)
        wait_until(lambda: versions(lines, f"lamp/{key}") == [1, 2, 3, 4, 5])
        seen = last_id(lines)
    switch(town, key, 1200)  # more than is read at once

    with stream(town, position, Last_Event_ID=seen) as lines:
        wait_until(lambda: len(versions(lines, f"lamp/{key}")) >= 1200)

    assert versions(lines, f"lamp/{key}") == list(range(6, 1206))


def test_filters_hide_what_does_not_fit_and_the_position_still_moves_on(
    town: Town, key: str
) -> None:
    position = twin(town, "/console/live")["position"]
    with stream(town, position, f"&entity=lamp/{key}&type=Switched") as lines:
        switch(town, f"{key}-other", 1)
        switch(town, key, 1)
        wait_until(lambda: versions(lines, f"lamp/{key}") == [1])
        moved = last_id(lines)

    assert f"{key}-other" not in "".join(lines)
    assert moved != position
    assert twin(town, f"/console/live?after={moved}&kind=lamp")["items"] == []


def test_data_goes_on_where_it_was_too(town: Town, key: str) -> None:
    position = twin(town, "/console/live")["position"]
    sent = town.post(f"/v1/lamp/{key}/Switch", {"times": 2}, X_Correlation_ID=f"flow-{key}")

    everything = twin(town, f"/console/live?after={position}")
    flow = twin(town, f"/console/live?correlation=flow-{key}")
    command = twin(town, f"/console/live?correlation={sent.json()['command_id']}")

    assert [e["version"] for e in everything["items"] if e["entity"] == f"lamp/{key}"] == [2, 1]
    assert {e["entity"] for e in flow["items"]} == {f"lamp/{key}"}
    assert command["items"] == flow["items"]
    assert twin(town, f"/console/live?after={everything['position']}")["lost"] is False


def test_a_program_follows_too_and_goes_on_where_it_was(town: Town, key: str) -> None:
    def seen(lines: list[str]) -> list[tuple[str, int]]:
        told = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
        return [(event["entity"], event["version"]) for event in told]

    wanted, events = f"&entity=lamp/{key}", {"Accept": "text/event-stream"}
    with stream(town, "", wanted, "/console/live", **events) as lines:
        wait_until(lambda: any(line.startswith("id: ") for line in lines))
        switch(town, key, 2)
        wait_until(lambda: len(seen(lines)) == 2)
        position = last_id(lines)
    switch(town, key, 1)
    with stream(town, "", wanted, "/console/live", Last_Event_ID=position, **events) as more:
        wait_until(lambda: seen(more))

    assert seen(lines + more) == [(f"lamp/{key}", version) for version in (1, 2, 3)]


def test_who_asks_for_the_headers_of_a_stream_gets_them_at_once(town: Town) -> None:
    for path in ("/console/live/stream", "/console/live"):
        response = town.client.head(path, headers={"Accept": "text/event-stream"})
        assert response.headers["content-type"].startswith("text/event-stream")


def test_lines_that_had_gone_are_told(town: Town, key: str) -> None:
    switch(town, key, 1)
    position = twin(town, "/console/live")["position"]
    number = town.runtime.registry.partition_of(f"lamp/{key}")
    feed = town.runtime.store.keys.partition(number).feed
    switch(town, key, 2)
    town.redis.xtrim(feed, maxlen=1, approximate=False)

    shown: dict[str, Any] = twin(town, f"/console/live?after={position}")

    assert shown["lost"]
    assert "had left the feed" in visit(town, f"/console/live?after={position}").text


def test_a_search_finds_whatever_an_id_may_be(town: Town, key: str) -> None:
    town.port(key)
    town.vessel(key)
    body = {"vessel_id": key, "port_id": key}
    town.post(f"/v1/sagas/docking?id={key}", body, X_Correlation_ID=f"flow-{key}")
    sent = town.post(f"/v1/lamp/{key}/Break", {"why": key}).json()["command_id"]
    letter = town.client.get(f"/v1/dead?entity=lamp/{key}").json()["items"][0]["id"]

    def found(text: str) -> set[tuple[str, str]]:
        items = twin(town, f"/console/search?q={text}")["items"]
        return {(item["what"], item["subject"]) for item in items}

    both = {("saga", f"saga.docking/{key}"), ("entity", f"port/{key}"), ("entity", f"vessel/{key}")}
    assert both <= found(key)
    assert found(f"port/{key}") == {("entity", f"port/{key}")}
    assert found(f"docking/{key}") == {("saga", f"saga.docking/{key}")}
    assert found(sent) == {("command", sent)}
    assert found(letter) == {("dead-letter", letter)}
    flow = twin(town, f"/console/search?q=flow-{key}")["events"]
    assert {f"port/{key}", f"vessel/{key}"} <= {event["entity"] for event in flow["items"]}
    assert "Nothing is known of it" in visit(town, f"/console/search?q=no-{key}").text


def test_the_address_of_one_thing_leads_to_its_page(town: Town, key: str) -> None:
    town.port(key)

    response = town.client.get(f"/console/search?q=%20port/{key}%20")

    assert response.status_code == 303
    assert response.headers["location"] == f"/console/entities/port/{key}"
