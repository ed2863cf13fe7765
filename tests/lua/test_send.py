"""send: once, whatever is repeated; refused without a trace."""

from typing import Any

import pytest

from tests.support.forge import NOW, Word, dump, fcall, key, send, send_words

PENDING = b'{"status":"pending"}'


def inbox(redis: Any) -> list[bytes]:
    return [fields[b"message"] for _, fields in redis.xrange(key("inbox"))]


def test_a_command_waits_in_the_inbox_and_its_result_is_pending(lua: Any) -> None:
    assert send(lua) == [b"SENT", 1]
    assert inbox(lua) == [b'{"id":"c1"}']
    assert lua.get(key("result:c1")) == PENDING
    assert lua.pttl(key("result:c1")) == -1


def test_a_repeated_id_is_sent_once_and_gets_what_is_known(lua: Any) -> None:
    send(lua)
    assert send(lua) == [b"DUPLICATE", 0, PENDING, b"c1"]

    lua.set(key("result:c1"), '{"status":"done"}')
    assert send(lua) == [b"DUPLICATE", 0, b'{"status":"done"}', b"c1"]
    assert len(inbox(lua)) == 1


def test_an_idempotency_key_with_the_same_request_finds_the_first_command(lua: Any) -> None:
    assert send(lua, idem="k") == [b"SENT", 1]
    assert send(lua, idem="k") == [b"DUPLICATE", 0, PENDING, b"c1"]
    assert lua.get(key("idem:k")) == b"print1 c1"
    assert 0 < lua.pttl(key("idem:k")) <= 5000


def test_the_first_command_is_found_even_if_the_second_has_another_id(lua: Any) -> None:
    send(lua, "c1", idem="k")
    before = dump(lua)

    assert send(lua, "c2", idem="k") == [b"DUPLICATE", 0, b"", b"c1"]
    assert dump(lua) == before


def test_an_idempotency_key_with_another_request_is_refused(lua: Any) -> None:
    send(lua, idem="k")
    before = dump(lua)

    assert send(lua, "c2", idem="k", args={5: "print2"}) == [b"MISMATCH"]
    assert dump(lua) == before


def test_a_request_is_new_again_when_its_result_is_gone(lua: Any) -> None:
    send(lua, idem="k")
    lua.delete(key("result:c1"))

    assert send(lua, idem="k")[0] == b"SENT"


def test_a_full_inbox_is_overloaded(lua: Any) -> None:
    for number in range(3):
        send(lua, f"c{number}", args={4: 3})
    before = dump(lua)

    assert send(lua, "c9", args={4: 3}) == [b"OVERLOADED", 3]
    assert dump(lua) == before
    assert send(lua, "c0", args={4: 3})[0] == b"DUPLICATE"


def test_a_paused_partition_takes_nothing_new(lua: Any) -> None:
    send(lua, "c0")
    lua.hset(key("meta"), "paused", "1")
    before = dump(lua)

    assert send(lua) == [b"PAUSED"]
    assert dump(lua) == before
    assert send(lua, "c0")[0] == b"DUPLICATE"


def test_a_due_command_becomes_a_timer(lua: Any) -> None:
    assert send(lua, args={7: NOW + 5000})[0] == b"SENT"
    assert inbox(lua) == []
    assert lua.zrange(key("timers"), 0, -1, withscores=True) == [(b"c1", NOW + 5000)]
    assert lua.hgetall(key("timer")) == {b"c1": b'{"id":"c1"}'}
    assert send(lua, args={7: NOW + 5000})[0] == b"DUPLICATE"


def test_only_one_caller_is_told_to_start_a_pump(lua: Any) -> None:
    assert [send(lua, f"c{number}")[1] for number in range(3)] == [1, 0, 0]


def test_nobody_is_told_to_start_a_pump_while_one_is_alive(lua: Any) -> None:
    lua.zadd("t:pumps", {"p1": NOW + 1})
    assert send(lua)[1] == 0

    lua.zadd("t:pumps", {"p1": NOW - 1})
    assert send(lua, "c2")[1] == 1


def test_a_repeated_command_also_wakes(lua: Any) -> None:
    send(lua)
    lua.delete("t:wake")

    assert send(lua)[:2] == [b"DUPLICATE", 1]


JUNK: list[Word] = ["", "-1", "1.5", "1e3", "x", "nan", "inf", "0x10", " 1", "01", "1" * 16, "1\n"]


@pytest.mark.parametrize("position", [3, 4, 6, 7])
@pytest.mark.parametrize("junk", JUNK)
def test_a_number_that_is_none_is_invalid(lua: Any, position: int, junk: Word) -> None:
    if (position, junk) == (7, ""):
        pytest.skip("no due time is a good due time")

    assert send(lua, idem="k", args={position: junk})[0] == b"INVALID"
    assert dump(lua) == {}


@pytest.mark.parametrize("fingerprint", ["two words", "a\nb", " "])
def test_a_fingerprint_is_one_word(lua: Any, fingerprint: str) -> None:
    assert send(lua, idem="k", args={5: fingerprint})[0] == b"INVALID"
    assert dump(lua) == {}


@pytest.mark.parametrize("count", range(7))
def test_missing_arguments_are_invalid_or_optional(lua: Any, count: int) -> None:
    keys, args = send_words()
    answer = fcall(lua, "send", keys, args[:count])

    if count < 4:
        assert answer[0] == b"INVALID"
        assert dump(lua) == {}
    else:
        assert answer == [b"SENT", 1]


@pytest.mark.parametrize("count", range(8))
def test_missing_keys_are_invalid(lua: Any, count: int) -> None:
    keys, args = send_words(idem="k")

    assert fcall(lua, "send", keys[:count], args)[0] == b"INVALID"
    assert dump(lua) == {}


@pytest.mark.parametrize("role", range(8))
@pytest.mark.parametrize("due", ["", NOW])
def test_a_key_of_the_wrong_type_is_invalid(lua: Any, role: int, due: Any) -> None:
    keys, args = send_words(idem="k", args={7: due})
    lua.rpush(keys[role], "in the way")
    before = dump(lua)

    assert fcall(lua, "send", keys, args)[0] == b"INVALID"
    assert dump(lua) == before
