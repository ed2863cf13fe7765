"""The asyncio side of the store against a real server: what is lost, or late, or wrong."""

import asyncio
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from wherry.errors import Misconfigured, Unreachable
from wherry.store import link as links
from wherry.store.link import Link
from wherry.store.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("link") / "data", fsync="no") as running:
        yield running


@pytest.fixture
def redis(server: Server) -> Iterator[Redis]:
    with Redis.from_url(server.url) as client:
        yield client


def hold(server: Server, how: signal.Signals) -> None:
    assert server.pid is not None
    os.kill(server.pid, how)


def test_replies_come_in_the_order_of_the_questions(server: Server) -> None:
    async def ask() -> list[Any]:
        link = Link(server.url, "wherry")
        many = [("ECHO", f"{n}") for n in range(500)]
        found = await link.run(many)
        await link.close()
        return found

    assert asyncio.run(ask()) == [b"%d" % n for n in range(500)]


def test_an_error_of_one_stands_in_its_place(server: Server, redis: Redis) -> None:
    redis.set("text", "x")

    async def ask() -> list[Any]:
        link = Link(server.url, "wherry")
        found = await link.run([
            ("ECHO", "a"), ("LPUSH", "text", "y"), ("FCALL", "wherry_send", 0), ("ECHO", "b"),
        ])  # fmt: skip
        await link.close()
        return found

    first, wrong_type, not_deployed, last = asyncio.run(ask())
    assert (first, last) == (b"a", b"b")
    assert isinstance(wrong_type, ResponseError)
    assert isinstance(not_deployed, Misconfigured)


def test_a_lost_connection_is_made_anew(server: Server, redis: Redis) -> None:
    async def ask() -> list[Any]:
        link = Link(server.url, "wherry")
        found = await link.run([("ECHO", "before")])
        for other in redis.client_list():
            if other["id"] != str(redis.client_id()):
                redis.client_kill_filter(_id=other["id"])
        found += await link.run([("ECHO", "after")])
        await link.close()
        return found

    assert asyncio.run(ask()) == [b"before", b"after"]


def test_late_answers_are_not_taken_for_those_to_later_questions(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "SILENCE_S", 0.3)

    async def ask() -> list[Any]:
        link = Link(server.url, "wherry")
        await link.run([("ECHO", "warm")])
        hold(server, signal.SIGSTOP)
        try:
            with pytest.raises(Unreachable):
                await link.run([("ECHO", "late"), ("ECHO", "later")])
        finally:
            hold(server, signal.SIGCONT)
        found = [await link.run([("ECHO", f"{n}")]) for n in range(3)]
        await link.close()
        return found

    assert asyncio.run(ask()) == [[b"0"], [b"1"], [b"2"]]


def test_who_goes_away_while_asking_leaves_nothing_for_the_next(server: Server) -> None:
    async def ask() -> list[Any]:
        link = Link(server.url, "wherry")
        await link.run([("ECHO", "warm")])
        asking = asyncio.create_task(link.run([("BLPOP", "nothing", 5), ("ECHO", "late")]))
        await asyncio.sleep(0.1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        found = await link.run([("ECHO", "mine")])
        await link.close()
        return found

    assert asyncio.run(ask()) == [b"mine"]


def test_nobody_there_is_unreachable_soon() -> None:
    async def ask() -> None:
        link = Link("redis://127.0.0.1:1", "wherry")
        with pytest.raises(Unreachable):
            await link.run([("ECHO", "x")])
        await link.close()

    asyncio.run(ask())


def test_a_channel_lives_through_silence_and_loses_nothing(
    server: Server, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "CHECK_S", 0.05)

    async def listen() -> list[bytes]:
        link = Link(server.url, "wherry")
        heard = []
        async with link.replies("channel") as messages:
            await asyncio.sleep(0.3)  # some pings long
            for n in range(1_000):
                redis.publish("channel", f"{n}")
            async for message in messages:
                heard.append(message)
                if len(heard) == 1_000:
                    break
        await link.close()
        return heard

    assert asyncio.run(listen()) == [b"%d" % n for n in range(1_000)]


def test_a_channel_to_a_server_that_hangs_is_given_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "CHECK_S", 0.1)

    async def listen() -> None:
        link = Link(server.url, "wherry")
        async with link.replies("channel") as messages:
            hold(server, signal.SIGSTOP)
            try:
                with pytest.raises(Unreachable):
                    await anext(messages)
            finally:
                hold(server, signal.SIGCONT)
        await link.close()

    asyncio.run(listen())
