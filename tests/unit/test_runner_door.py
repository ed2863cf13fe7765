"""The door to a target: one question at a time, caution, and what an open breaker means."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
from redis.exceptions import ResponseError

from wherry import Attempt, Breaker, Command, Kind, Target, message
from wherry.engine.specs import target_spec
from wherry.errors import Unreachable
from wherry.store.calls import Asking
from wherry.store.effects import Permission
from wherry.workers import door as doors
from wherry.workers.door import Door, Shut


class MillKind(Kind):
    name = "mill"


@message
class Grind(Command[MillKind, None]):
    pass


mill = Target(MillKind, breaker=Breaker(failures=3, reset=timedelta(seconds=10)))


@mill.effect(Grind)
async def grind(call: Grind, attempt: Attempt) -> None:
    pass


def closed(asking: Asking) -> Permission:
    return Permission("closed", asking.wanted, None, 0)


class Redis:
    """Answers as a breaker would, and remembers what it was told."""

    def __init__(self) -> None:
        self.heard: list[Asking] = []
        self.answer: Callable[[Asking], Permission] = closed

    async def ask(self, target: str, asking: Asking) -> Permission:
        assert target == "mill"
        await asyncio.sleep(0)
        self.heard.append(asking)
        return self.answer(asking)

    def is_open(self, until: int) -> None:
        self.answer = lambda _: Permission("open", 0, until, 3)


def in_a_loop(test: Callable[[Door, Redis], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        redis = Redis()
        await test(Door(target_spec(mill), redis.ask, lambda: 1_000), redis)

    asyncio.run(run())


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is let in because time goes by, unless a test says so."""
    monkeypatch.setattr(doors, "LOOK_S", 1_000.0)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def entering(door: Door, count: int) -> list["asyncio.Task[None]"]:
    return [asyncio.create_task(door.enter()) for _ in range(count)]


def inside(tasks: list["asyncio.Task[None]"]) -> int:
    return sum(task.done() and task.exception() is None for task in tasks)


def turned_away(tasks: list["asyncio.Task[None]"]) -> int:
    return sum(task.done() and isinstance(task.exception(), Shut) for task in tasks)


def test_all_who_come_together_are_one_question() -> None:
    async def test(door: Door, redis: Redis) -> None:
        tasks = entering(door, 3)
        await settle()
        assert inside(tasks) == 3
        assert [asking.wanted for asking in redis.heard] == [3]

    in_a_loop(test)


def test_a_target_that_has_not_answered_gets_no_more_calls_than_may_fail() -> None:
    async def test(door: Door, redis: Redis) -> None:
        tasks = entering(door, 50)
        await settle()
        assert inside(tasks) == 3
        redis.is_open(until=9_000)
        for _ in range(3):
            door.left(well=False)
        await settle()
        assert (inside(tasks), turned_away(tasks)) == (3, 47)
        assert sum(asking.failed for asking in redis.heard) == 3

    in_a_loop(test)


def test_each_answer_lets_more_in() -> None:
    async def test(door: Door, redis: Redis) -> None:
        tasks = entering(door, 50)
        await settle()
        door.left(well=True)
        assert inside(tasks) == 3
        await settle()
        assert inside(tasks) == 6

    in_a_loop(test)


def test_a_slow_target_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "LOOK_S", 0.001)

    async def test(door: Door, redis: Redis) -> None:
        await asyncio.wait_for(asyncio.gather(*entering(door, 50)), 60)

    in_a_loop(test)


def test_nobody_is_let_in_while_the_breaker_is_told_that_enough_have_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doors, "LOOK_S", 0.001)

    async def test(door: Door, redis: Redis) -> None:
        told = asyncio.Event()
        ask = redis.ask

        async def slowly(target: str, asking: Asking) -> Permission:
            if asking.failed:
                await told.wait()
                redis.is_open(until=9_000)
            return await ask(target, asking)

        door.ask = slowly
        tasks = entering(door, 50)
        await settle()
        for _ in range(3):
            door.left(well=False)
        await asyncio.sleep(0.1)
        assert inside(tasks) == 3
        told.set()
        await asyncio.wait(tasks, timeout=60)
        assert turned_away(tasks) == 47

    in_a_loop(test)


def test_a_failure_is_told_at_once_and_a_success_with_the_next_question() -> None:
    async def test(door: Door, redis: Redis) -> None:
        await asyncio.gather(*entering(door, 2))
        door.left(well=True)
        await settle()
        assert len(redis.heard) == 1
        door.left(well=False)
        await settle()
        assert (redis.heard[-1].wanted, redis.heard[-1].succeeded, redis.heard[-1].failed) == (
            0,
            1,
            1,
        )

    in_a_loop(test)


def test_nobody_asks_while_the_breaker_is_open() -> None:
    async def test(door: Door, redis: Redis) -> None:
        redis.is_open(until=9_000)
        with pytest.raises(Shut) as first:
            await door.enter()
        asked = len(redis.heard)
        with pytest.raises(Shut) as second:
            await door.enter()
        assert first.value.until_ms == second.value.until_ms == 9_000
        assert len(redis.heard) == asked

    in_a_loop(test)


def test_the_success_of_a_probe_is_told_at_once() -> None:
    async def test(door: Door, redis: Redis) -> None:
        redis.answer = lambda _: Permission("half-open", 1, 7_000, 3)
        tasks = entering(door, 2)
        await settle()
        assert (inside(tasks), turned_away(tasks)) == (1, 1)
        redis.answer = closed
        door.left(well=True)
        await settle()
        assert redis.heard[-1].succeeded == 1
        assert door.state == "closed"

    in_a_loop(test)


def test_who_waits_for_a_probe_asks_again_soon() -> None:
    async def test(door: Door, redis: Redis) -> None:
        redis.answer = lambda _: Permission("half-open", 0, 7_000, 3)
        with pytest.raises(Shut) as shut:
            await door.enter()
        assert shut.value.until_ms == 1_000 + doors.PATIENCE_MS

    in_a_loop(test)


@pytest.mark.parametrize(
    "error", [Unreachable("away"), ResponseError("MISCONF the disk is full"), ValueError("odd")]
)
def test_who_waits_at_the_door_is_let_in_after_an_error_whatever_it_was(error: Exception) -> None:
    """Nobody else may ever come to this target: who waits must not depend on the next one."""

    async def test(door: Door, redis: Redis) -> None:
        well = redis.answer

        def fails_once(asking: Asking) -> Permission:
            redis.answer = well
            raise error

        redis.answer = fails_once
        await asyncio.wait_for(door.enter(), 60)

    in_a_loop(test)


def test_what_could_not_be_told_during_an_outage_is_told_after_it() -> None:
    async def test(door: Door, redis: Redis) -> None:
        await door.enter()
        well = redis.answer

        def away(asking: Asking) -> Permission:
            raise Unreachable("away")

        redis.answer = away
        door.left(well=False)
        await settle()
        redis.answer = well
        task = asyncio.create_task(door.enter())
        await asyncio.wait_for(task, 60)
        assert (redis.heard[-1].failed, redis.heard[-1].wanted) == (1, 1)

    in_a_loop(test)


def test_who_has_gone_meanwhile_takes_nobodys_place() -> None:
    async def test(door: Door, redis: Redis) -> None:
        redis.answer = lambda _: Permission("half-open", 1, 7_000, 3)
        gone, stays = entering(door, 2)
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait_for(stays, 60)

    in_a_loop(test)
