"""Redis goes away and comes back; nobody may be told a wrong thing, and nothing may be stuck."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.http.test_commands import problem
from tests.http.test_entities import STREAM, sent
from tests.http.town import Town, wait_until
from wherry.store.client import SILENCE_S


@pytest.fixture
def lonely(tmp_path: Path, server_binary: Path | None) -> "Town":
    return Town(tmp_path, server_binary)


@pytest.mark.slow
def test_redis_is_killed_and_comes_back(lonely: Town) -> None:
    with lonely as town:
        assert town.post("/v1/lamp/a/Switch").json()["version"] == 1
        streamed = threading.Thread(target=follow, args=[town])
        streamed.start()
        town.server.kill()

        lost = town.post("/v1/lamp/a/Switch")
        body = problem(lost, 503, "redis-unreachable")
        assert int(lost.headers["retry-after"]) >= 1
        assert body["command_id"]
        assert "nobody knows" in str(body["detail"])
        problem(town.client.get("/v1/lamp/a"), 503, "redis-unreachable")
        problem(town.client.get("/readyz"), 503, "redis-unreachable")
        assert town.client.get("/livez").status_code == 200
        assert "wherry_redis_up 0.0" in town.client.get("/metrics").text
        streamed.join(10)
        assert not streamed.is_alive()

        town.server.start()
        wait_until(lambda: town.client.get("/readyz").status_code == 200)
        repeated = town.post("/v1/lamp/a/Switch", Idempotency_Key=str(body["idempotency_key"]))
        assert repeated.json()["command_id"] == body["command_id"]
        assert repeated.json()["version"] == 2

        # The channel is there again: an answer does not have to be looked for.
        wait_until(lambda: town.redis.pubsub_channels("wherry:replies:*"))
        began = time.monotonic()
        assert town.post("/v1/lamp/a/Switch").json()["version"] == 3
        assert time.monotonic() - began < 0.9


@pytest.mark.slow
def test_a_redis_that_hangs_is_given_up_before_the_caller_is(lonely: Town) -> None:
    with lonely as town, ThreadPoolExecutor(3) as pool:
        assert town.post("/v1/lamp/a/Switch").json()["version"] == 1
        os.kill(town.server.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            sent_ = pool.submit(town.post, "/v1/lamp/a/Switch")
            read = pool.submit(town.client.get, "/v1/lamp/a")
            listed = pool.submit(town.client.get, "/v1/lamp")
            for asked in (sent_, read, listed):
                problem(asked.result(), 503, "redis-unreachable")
            assert time.monotonic() - began < 3 * SILENCE_S
        finally:
            os.kill(town.server.pid, signal.SIGCONT)
        wait_until(lambda: town.client.get("/readyz").status_code == 200)
        assert town.post("/v1/lamp/a/Switch").status_code == 200


def follow(town: Town) -> None:
    path = f"{town.url}/v1/lamp/a/events"
    with httpx.stream("GET", path, headers=STREAM, timeout=20) as response:
        list(sent(response))


@pytest.mark.slow
def test_an_answer_is_found_though_its_message_was_lost(town: Town, key: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        with town.nobody_at_work():
            waiting = pool.submit(town.post, f"/v1/lamp/{key}/Switch")
            wait_until(lambda: "wherry_http_waiting 1.0" in town.client.get("/metrics").text)
            town.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        assert waiting.result().json()["version"] == 1


@pytest.mark.slow
def test_who_waits_while_nobody_works_starts_a_pump(lonely: Town) -> None:
    """The job that was to start one is lost, as in a restart of a Redis that RQ has for itself."""
    with lonely as town:
        town.redis.set("wherry:wake", "1", px=60_000)

        assert town.post("/v1/lamp/a/Switch").json()["version"] == 1


@pytest.mark.slow
def test_nonsense_on_the_channel_of_replies_stops_nothing(lonely: Town) -> None:
    with lonely as town:
        (channel,) = town.redis.pubsub_channels("wherry:replies:*")
        town.redis.publish(channel, b"nonsense")

        wait_until(lambda: "nobody understands" in town.log())
        wait_until(lambda: town.redis.pubsub_channels("wherry:replies:*"))
        assert town.post("/v1/lamp/a/Switch").json()["version"] == 1
