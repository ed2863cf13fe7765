"""The HTTP process: its health, its metrics, how it begins and how it ends."""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.http.test_commands import problem
from tests.http.test_entities import STREAM, sent
from tests.http.town import Town, wait_until
from wherry.errors import Misconfigured
from wherry.http.security.access import require_loopback
from wherry.http.serve import serve

# -- health ---------------------------------------------------------------------------------------


def test_a_process_is_alive_and_ready(town: Town) -> None:
    assert town.client.get("/livez").status_code == 200
    assert town.client.get("/readyz").json() == {"status": "ready"}


def test_asking_whether_it_is_ready_writes_nothing(town: Town) -> None:
    town.rest()
    before = town.written()

    town.client.get("/readyz")

    assert town.written() == before


def test_a_process_without_its_library_is_not_ready(town: Town, key: str) -> None:
    library = town.redis.function_dump()
    town.redis.function_flush()
    try:
        not_ready = town.client.get("/readyz")
        command = town.post(f"/v1/lamp/{key}/Switch")
    finally:
        town.redis.function_restore(library)

    problem(not_ready, 503, "misconfigured")
    body = problem(command, 503, "misconfigured")
    assert "wherry deploy" in str(body["detail"])
    assert command.headers["retry-after"]
    assert town.client.get("/livez").status_code == 200
    assert town.client.get("/readyz").status_code == 200


def test_metrics_tell_what_was_served_and_what_waits(town: Town, key: str) -> None:
    with town.nobody_at_work():
        town.post(f"/v1/lamp/{key}/Switch", Prefer="respond-async")
        text = town.client.get("/metrics").text
        waiting = [line for line in text.splitlines() if line.startswith("wherry_backlog{")]

    assert len(waiting) == 4
    assert sum(float(line.split()[1]) for line in waiting) == 1
    route = 'method="POST",route="/v1/{kind}/{key}/{command}",status="202"'
    assert f"wherry_http_requests_total{{{route}}}" in text
    assert "wherry_http_request_seconds_bucket" in text
    assert "\nwherry_pumps_alive " in text
    assert "wherry_redis_up 1.0" in text
    assert key not in text


# -- refusals of the whole namespace --------------------------------------------------------------


def test_a_full_inbox_is_said_with_a_time_to_come_back(town: Town, key: str) -> None:
    door, url = town.open_door(backlog=1)
    path = f"{url}/v1/lamp/{key}/Switch"
    with town.nobody_at_work():
        first = httpx.post(path, headers={"Prefer": "respond-async"})
        second = httpx.post(path, headers={"Prefer": "respond-async"})

    assert first.status_code == 202
    problem(second, 429, "overloaded")
    assert int(second.headers["retry-after"]) >= 1
    wait_until(lambda: town.client.get(first.headers["location"]).json()["status"] == "done")
    assert httpx.post(path).json()["version"] == 2
    door.terminate()


@contextmanager
def paused(town: Town) -> Iterator[None]:
    metas = [town.runtime.store.keys.partition(n).meta for n in range(4)]
    for meta in metas:
        town.redis.hset(meta, "paused", "1")
    yield
    for meta in metas:
        town.redis.hdel(meta, "paused")


def test_a_paused_namespace_takes_no_commands(town: Town, key: str) -> None:
    with paused(town):
        response = town.post(f"/v1/lamp/{key}/Switch")

    problem(response, 503, "paused")
    assert int(response.headers["retry-after"]) >= 1
    assert town.post(f"/v1/lamp/{key}/Switch").json()["version"] == 1


# -- the beginning --------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.com", ""])
def test_an_address_of_others_is_refused(town: Town, host: str) -> None:
    with pytest.raises(Misconfigured, match="authentication"):
        serve(town.runtime, host=host, port=0, wait=5, backlog=1, ready=lambda _: None)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.0.1"])
def test_an_address_of_this_machine_is_taken(host: str) -> None:
    require_loopback(host)


def test_a_port_that_is_taken_is_said(town: Town) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Misconfigured, match=f"port {port}"):
            serve(town.runtime, host="127.0.0.1", port=port, wait=5, backlog=1, ready=print)


# -- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_has_nothing_to_do_ends_soon_with_code_0(
    town: Town, asked: signal.Signals
) -> None:
    door, _ = town.open_door()

    began = time.monotonic()
    door.send_signal(asked)

    assert door.wait(10) == 0
    assert time.monotonic() - began < 3


def test_a_process_that_stops_finishes_what_is_open(town: Town, key: str) -> None:
    door, url = town.open_door()
    path = f"{url}/v1/lamp/{key}/Switch"
    with ThreadPoolExecutor(1) as pool:
        with town.nobody_at_work():
            open_request = pool.submit(httpx.post, path, timeout=20)
            wait_until(lambda: "wherry_http_waiting 1.0" in httpx.get(f"{url}/metrics").text)
            door.terminate()
            wait_until(lambda: httpx.get(f"{url}/readyz").status_code == 503)
            problem(httpx.get(f"{url}/readyz"), 503, "draining")
            refused = httpx.post(path)
            assert httpx.get(f"{url}/livez").status_code == 200
        assert open_request.result().json()["version"] == 1

    problem(refused, 503, "draining")
    assert refused.headers["retry-after"]
    assert door.wait(10) == 0


def test_a_process_that_stops_does_not_wait_for_ever(town: Town, key: str) -> None:
    door, url = town.open_door()
    town.post(f"/v1/lamp/{key}/Switch")
    ended = threading.Event()

    def follow() -> None:
        with httpx.stream("GET", f"{url}/v1/lamp/{key}/events", headers=STREAM) as response:
            list(sent(response))
        ended.set()

    follower = threading.Thread(target=follow)
    follower.start()
    wait_until(lambda: "wherry_http_open_requests 2.0" in httpx.get(f"{url}/metrics").text)
    with ThreadPoolExecutor(1) as pool, town.nobody_at_work():
        waiting = pool.submit(
            httpx.post, f"{url}/v1/lamp/{key}/Switch", headers={"Prefer": "wait=60"}, timeout=20
        )
        wait_until(lambda: "wherry_http_waiting 1.0" in httpx.get(f"{url}/metrics").text)
        began = time.monotonic()
        door.terminate()
        assert waiting.result().status_code == 202
        assert door.wait(10) == 0
        assert time.monotonic() - began < 5.5
    assert ended.wait(1)
    follower.join()
