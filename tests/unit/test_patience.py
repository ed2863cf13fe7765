"""Patience with what is slow: it ends, and it never ends anything else."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from wherry.http import patience
from wherry.http.patience import Patiently

Steps = Callable[[], Coroutine[Any, Any, str]]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE_S", 0.1)
    monkeypatch.setattr(patience, "LOOK_S", 0.02)


async def read(seconds: float) -> str:
    with Patiently():
        await asyncio.sleep(seconds)
    return "read"


async def outcome(task: "asyncio.Task[str]") -> str:
    try:
        return await task
    except (TimeoutError, asyncio.CancelledError) as error:
        return type(error).__name__


def test_what_is_soon_done_is_let_be_and_what_is_not_ends() -> None:
    async def all_at_once() -> list[str]:
        tasks = [asyncio.create_task(read(seconds)) for seconds in (0, 0.01, 60, 0.02, 60)]
        return [await outcome(task) for task in tasks]

    assert asyncio.run(all_at_once()) == ["read", "read", "TimeoutError", "read", "TimeoutError"]


def test_who_waited_in_vain_can_go_on_with_something_else() -> None:
    async def twice() -> list[str]:
        found = []
        for seconds in (60, 0.01):
            try:
                found.append(await read(seconds))
            except TimeoutError:
                found.append("late")
        await asyncio.sleep(0.05)  # nothing is left that would be cancelled
        return found

    assert asyncio.run(twice()) == ["late", "read"]


def test_who_is_cancelled_by_others_is_cancelled_and_not_late() -> None:
    async def cancelled() -> str:
        task = asyncio.create_task(read(60))
        await asyncio.sleep(0)
        task.cancel()
        return await outcome(task)

    assert asyncio.run(cancelled()) == "CancelledError"


def test_an_error_inside_is_passed_on() -> None:
    async def fails() -> None:
        with Patiently():
            raise KeyError("x")

    with pytest.raises(KeyError):
        asyncio.run(fails())


def test_each_event_loop_is_watched() -> None:
    async def late() -> str:
        return await outcome(asyncio.create_task(read(60)))

    assert [asyncio.run(late()) for _ in range(2)] == ["TimeoutError"] * 2
