"""Commands that are asked for together travel together."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from wherry.errors import Unreachable
from wherry.store.batching import MOST, Batcher
from wherry.store.link import Words


class Recorder:
    """Answers each command with its words; keeps the size of each trip."""

    def __init__(self) -> None:
        self.trips: list[int] = []

    async def run(self, many: Sequence[Words]) -> list[Any]:
        self.trips.append(len(many))
        await asyncio.sleep(0.001)
        return [ValueError(words[1]) if words[0] == "BAD" else words for words in many]


def test_what_one_tick_asks_travels_together() -> None:
    async def story() -> list[int]:
        recorder = Recorder()
        batcher = Batcher(recorder.run)
        found = await asyncio.gather(*(batcher.ask(("GET", n)) for n in range(5)))
        assert found == [("GET", n) for n in range(5)]
        return recorder.trips

    assert asyncio.run(story()) == [5]


def test_what_comes_during_a_trip_is_the_next_one() -> None:
    async def story() -> list[int]:
        recorder = Recorder()
        batcher = Batcher(recorder.run)
        first = asyncio.create_task(batcher.ask(("GET", 0)))
        await asyncio.sleep(0.0005)
        await asyncio.gather(first, *(batcher.ask(("GET", n)) for n in range(3)))
        await batcher.ask(("GET", 9))
        return recorder.trips

    assert asyncio.run(story()) == [1, 3, 1]


def test_a_trip_has_an_end() -> None:
    async def story() -> list[int]:
        recorder = Recorder()
        batcher = Batcher(recorder.run)
        await asyncio.gather(*(batcher.ask(("GET", n)) for n in range(MOST + 1)))
        return recorder.trips

    assert asyncio.run(story()) == [MOST, 1]


def test_an_error_of_one_is_only_its_own() -> None:
    async def story() -> None:
        batcher = Batcher(Recorder().run)
        asked = [batcher.ask(("GET", 1)), batcher.ask(("BAD", "x"))]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert found[0] == ("GET", 1)
        assert isinstance(found[1], ValueError)

    asyncio.run(story())


def test_a_lost_trip_is_told_to_everybody_and_the_next_one_goes() -> None:
    async def story() -> None:
        recorder = Recorder()

        async def run(many: Sequence[Words]) -> list[Any]:
            if not recorder.trips:
                recorder.trips.append(0)
                raise Unreachable("gone")
            return await recorder.run(many)

        batcher = Batcher(run)
        lost = await asyncio.gather(
            batcher.ask(("GET", 1)), batcher.ask(("GET", 2)), return_exceptions=True
        )
        assert [type(one) for one in lost] == [Unreachable, Unreachable]
        assert await batcher.ask(("GET", 3)) == ("GET", 3)

    asyncio.run(story())


def test_who_has_gone_holds_nobody_up() -> None:
    async def story() -> None:
        batcher = Batcher(Recorder().run)
        gone = asyncio.create_task(batcher.ask(("GET", 1)))
        await asyncio.sleep(0)
        gone.cancel()
        assert await batcher.ask(("GET", 2)) == ("GET", 2)
        with pytest.raises(asyncio.CancelledError):
            await gone

    asyncio.run(story())
