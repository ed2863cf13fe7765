"""The small verbs: what they move, what they refuse, and that repeating them does no harm."""

from typing import Any, cast

import pytest

from tests.support.forge import NOW, Word, dump, fcall, key, load_library

TIMERS = [key("timers"), key("timer"), key("inbox"), key("meta")]
NO_COUNTS: list[Word] = ["", "-1", "1.5", "1e3", "x", "nan", "01", "1" * 16]


def set_timers(redis: Any, **due: int) -> None:
    for name, at in due.items():
        redis.zadd(key("timers"), {name: at})
        redis.hset(key("timer"), name, f"message of {name}")


def waiting(redis: Any) -> list[bytes]:
    return [fields[b"message"] for _, fields in redis.xrange(key("inbox"))]


def test_due_timers_go_to_the_inbox_the_earliest_first(lua: Any) -> None:
    set_timers(lua, late=NOW + 1, second=NOW, first=NOW - 5)

    answer = fcall(lua, "fire", TIMERS, [NOW, 10])

    assert [b"FIRED", 2] == answer[:2]
    assert NOW + 1 == float(answer[2])
    assert [b"message of first", b"message of second"] == waiting(lua)
    assert [b"late"] == lua.zrange(key("timers"), 0, -1)
    assert [b"late"] == lua.hkeys(key("timer"))


def test_firing_twice_sends_once(lua: Any) -> None:
    set_timers(lua, first=NOW)
    fcall(lua, "fire", TIMERS, [NOW, 10])

    assert [b"FIRED", 0, b""] == fcall(lua, "fire", TIMERS, [NOW, 10])
    assert 1 == len(waiting(lua))


def test_a_limit_leaves_the_rest_for_the_next_call(lua: Any) -> None:
    set_timers(lua, a=NOW - 3, b=NOW - 2, c=NOW - 1)

    answer = fcall(lua, "fire", TIMERS, [NOW, 2])

    assert [b"FIRED", 2] == answer[:2]
    assert NOW - 1 == float(answer[2])
    assert [b"FIRED", 1, b""] == fcall(lua, "fire", TIMERS, [NOW, 2])


def test_a_timer_without_its_envelope_goes_silently(lua: Any) -> None:
    set_timers(lua, a=NOW)
    lua.delete(key("timer"))

    assert [b"FIRED", 1, b""] == fcall(lua, "fire", TIMERS, [NOW, 2])
    assert [] == waiting(lua)


@pytest.mark.parametrize("junk", NO_COUNTS)
@pytest.mark.parametrize("position", [0, 1])
def test_fire_refuses_what_is_not_a_count(lua: Any, junk: Word, position: int) -> None:
    set_timers(lua, a=NOW)
    before = dump(lua)
    args: list[Word] = [NOW, 10]
    args[position] = junk

    assert b"INVALID" == fcall(lua, "fire", TIMERS, args)[0]
    assert before == dump(lua)


@pytest.mark.parametrize("role", range(4))
def test_fire_refuses_a_key_of_the_wrong_type(lua: Any, role: int) -> None:
    set_timers(lua, a=NOW)
    lua.delete(TIMERS[role])
    lua.rpush(TIMERS[role], "in the way")
    before = dump(lua)

    assert b"INVALID" == fcall(lua, "fire", TIMERS, [NOW, 10])[0]
    assert before == dump(lua)


BEAT = ["t:pumps", key("timers"), key("meta"), key("timers", 1), key("meta", 1)]


def test_a_pump_learns_who_is_alive_and_what_is_due(lua: Any) -> None:
    lua.zadd("t:pumps", {"dead": NOW - 1, "other": NOW + 5})
    lua.zadd(key("timers", 1), {"x": NOW + 7, "y": NOW + 9})

    answer = fcall(lua, "beat", BEAT, ["p1", NOW, 4000])

    assert b"ALIVE" == answer[0]
    assert [b"other", b"p1"] == answer[1]
    assert b"" == answer[2][0]
    assert NOW + 7 == float(answer[2][1])
    assert NOW + 4000 == lua.zscore("t:pumps", "p1")


def test_a_pump_learns_which_code_may_commit(lua: Any) -> None:
    assert b"" == fcall(lua, "beat", BEAT, ["p1", NOW, 4000])[3]

    load_library(lua, "v2")

    assert b"v2" == fcall(lua, "beat", BEAT, ["p1", NOW, 4000])[3]


def test_beating_twice_is_beating_once(lua: Any) -> None:
    first = fcall(lua, "beat", BEAT, ["p1", NOW, 4000])
    assert first == fcall(lua, "beat", BEAT, ["p1", NOW, 4000])


@pytest.mark.parametrize("args", [["p", "x", 1], ["p", 1, "-1"], ["p", 1], ["p"], []])
def test_beat_refuses_what_is_not_a_count(lua: Any, args: list[Word]) -> None:
    assert b"INVALID" == fcall(lua, "beat", BEAT, args)[0]
    assert {} == dump(lua)


@pytest.mark.parametrize("role", range(5))
def test_beat_refuses_a_key_of_the_wrong_type(lua: Any, role: int) -> None:
    lua.rpush(BEAT[role], "in the way")
    before = dump(lua)

    assert b"INVALID" == fcall(lua, "beat", BEAT, ["p1", NOW, 4000])[0]
    assert before == dump(lua)


RETRY = [key("dead"), key("inbox"), key("result:c1")]


def bury(redis: Any, **fields: str) -> str:
    return cast(bytes, redis.xadd(key("dead"), dict(fields))).decode()


def test_a_dead_letter_is_sent_again_once(lua: Any) -> None:
    letter = bury(lua, error="boom", message="again")

    assert [b"SENT"] == fcall(lua, "retry", RETRY, [letter, 1])
    assert [b"GONE"] == fcall(lua, "retry", RETRY, [letter, 1])
    assert [b"again"] == waiting(lua)
    assert 0 == lua.xlen(key("dead"))
    assert b'{"status":"pending"}' == lua.get(key("result:c1"))


def test_a_letter_that_nobody_waits_for_leaves_the_result_alone(lua: Any) -> None:
    letter = bury(lua, message="again")

    fcall(lua, "retry", RETRY, [letter, 0])

    assert not lua.exists(key("result:c1"))


def test_a_letter_without_a_message_stays(lua: Any) -> None:
    letter = bury(lua, error="boom")
    before = dump(lua)

    assert b"INVALID" == fcall(lua, "retry", RETRY, [letter, 1])[0]
    assert before == dump(lua)


@pytest.mark.parametrize(
    "args", [["x", 1], ["-", 1], ["1-1-1", 1], ["1", 1], ["1-1", 2], ["1-1"], []]
)
def test_retry_refuses_what_is_no_letter(lua: Any, args: list[Word]) -> None:
    assert b"INVALID" == fcall(lua, "retry", RETRY, args)[0]
    assert {} == dump(lua)


@pytest.mark.parametrize("role", range(3))
def test_retry_refuses_a_key_of_the_wrong_type(lua: Any, role: int) -> None:
    letter = bury(lua, message="again")
    lua.delete(RETRY[role])
    lua.rpush(RETRY[role], "in the way")
    before = dump(lua)

    assert b"INVALID" == fcall(lua, "retry", RETRY, [letter, 1])[0]
    assert before == dump(lua)
