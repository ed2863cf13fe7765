"""admit: a caller may send so many requests a second, however many servers ask."""

from typing import Any

import pytest

from tests.support.forge import NAMESPACE, NOW, dump, fcall
from wherry.store import calls
from wherry.store.keys import Keys

KEY = "t:rate:key:k1"


def admit(redis: Any, wanted: int = 1, *, rate: float = 10, at: int = 0) -> list[Any]:
    call = calls.admit(Keys(NAMESPACE), "key:k1", NOW + at, rate, wanted)
    answer: list[Any] = redis.execute_command(*call.words(NAMESPACE))
    return answer


def test_a_bucket_begins_full_and_fills_by_itself(lua: Any) -> None:
    assert admit(lua, 4) == [b"ADMITTED", 4]
    assert admit(lua, 100) == [b"ADMITTED", 6]
    assert admit(lua) == [b"EMPTY", 100]
    assert admit(lua, at=50) == [b"EMPTY", 50]
    assert admit(lua, 5, at=250) == [b"ADMITTED", 2]
    assert admit(lua, at=251) == [b"EMPTY", 49]
    assert admit(lua, 100, at=60_000) == [b"ADMITTED", 10]


def test_a_clock_that_is_behind_brings_nothing_and_takes_nothing(lua: Any) -> None:
    assert admit(lua, 10) == [b"ADMITTED", 10]
    assert admit(lua, at=-5_000) == [b"EMPTY", 100]
    assert admit(lua, at=100) == [b"ADMITTED", 1]


def test_slow_rates_wait_for_a_whole_request(lua: Any) -> None:
    assert admit(lua, rate=0.5) == [b"ADMITTED", 1]
    assert admit(lua, rate=0.5) == [b"EMPTY", 2000]
    assert admit(lua, rate=0.5, at=2000) == [b"ADMITTED", 1]


def test_a_full_bucket_is_not_kept(lua: Any) -> None:
    admit(lua)
    assert 0 < lua.pttl(KEY) <= 2000
    admit(lua, rate=0.1)
    assert 2000 < lua.pttl(KEY) <= 20_000


@pytest.mark.parametrize(
    "args",
    [["x", "1", "1"], [str(NOW), "0", "1"], [str(NOW), "-1", "1"], [str(NOW), "1", "-1"], []],
)
def test_what_makes_no_sense_is_refused(lua: Any, args: list[str]) -> None:
    assert fcall(lua, "admit", [KEY], args)[0] == b"INVALID"
    lua.set(KEY, "text")
    before = dump(lua)
    assert fcall(lua, "admit", [KEY], [str(NOW), "1", "1"])[0] == b"INVALID"
    assert dump(lua) == before
