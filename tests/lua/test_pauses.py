"""Pauses in Lua: marks and what they stop, messages that are held back and go on."""

from typing import Any

import pytest

from tests.support.forge import NOW, Commit, Word, dump, fcall, key, put_into_inbox, send

PAUSE = [key("paused"), key("meta")]
MARK = '{"since":1}'
FIRE = [key(name) for name in ("timers", "timer", "inbox", "meta")]
TAKE = [key(name) for name in ("effects", "effect", "attempt", "meta")]


def pause(redis: Any, what: str, mark: str = MARK) -> list[Any]:
    return fcall(redis, "pause", PAUSE, [what, mark])


def epoch(redis: Any) -> int:
    return int(redis.hget(key("meta"), "epoch") or 0)


def held(redis: Any, name: str = "ever") -> list[bytes]:
    found: list[bytes] = redis.lrange(key(f"held:ship:{name}"), 0, -1)
    return found


def hold(redis: Any, *messages: str, name: str = "ever") -> None:
    commit = Commit(epoch=epoch(redis), held=[("ship", name, message) for message in messages])
    assert b"OK" == commit.call(redis)[0]


def refused(redis: Any, commit: Commit) -> list[Any]:
    before = dump(redis)
    answer = commit.call(redis)
    assert before == dump(redis)
    return answer


# -- marks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["ship/ever", "ship", "saga.docking/d1@x", "*", "*!"])
def test_a_mark_stays_until_it_is_taken_away_and_each_change_begins_an_epoch(
    lua: Any, what: str
) -> None:
    assert [b"MARKED", b""] == pause(lua, what)
    assert [b"MARKED", MARK.encode()] == pause(lua, what, '{"since":2}')
    assert {what.encode(): MARK.encode()} == lua.hgetall(key("paused"))
    assert 1 == epoch(lua)

    assert [b"GONE", MARK.encode()] == pause(lua, what, "")
    assert [b"GONE", b""] == pause(lua, what, "")
    assert not lua.exists(key("paused"))
    assert 3 == epoch(lua)
    assert [b"epoch"] == lua.hkeys(key("meta"))


@pytest.mark.parametrize(
    "args", [["", MARK], ["Ship", MARK], ["ship/", MARK], ["ship/a:b", MARK], ["**", MARK],
             ["ship/a/b", MARK], ["ship"], []],
)  # fmt: skip
def test_what_cannot_be_paused_is_refused(lua: Any, args: list[Word]) -> None:
    assert b"INVALID" == fcall(lua, "pause", PAUSE, args)[0]
    assert {} == dump(lua)


@pytest.mark.parametrize("role", range(2))
def test_pause_refuses_keys_of_other_types_and_an_epoch_that_cannot_grow(
    lua: Any, role: int
) -> None:
    lua.rpush(PAUSE[role], "in the way")
    before = dump(lua)
    assert b"INVALID" == pause(lua, "ship")[0]
    assert before == dump(lua)

    lua.delete(PAUSE[role])
    lua.hset(key("meta"), "epoch", "x")
    assert b"INVALID" == pause(lua, "ship")[0]
    assert not lua.exists(key("paused"))


def test_sending_can_be_refused_and_turns_halted_each_alone(lua: Any) -> None:
    (entry,) = put_into_inbox(lua, "m")
    pause(lua, "*!")
    assert [b"PAUSED"] == send(lua, "c1")
    assert b"OK" == Commit(upto=entry, epoch=1).call(lua)[0]

    pause(lua, "*!", "")
    pause(lua, "*")
    assert b"SENT" == send(lua, "c1")[0]
    assert [b"HALTED"] == refused(lua, Commit(start=entry, upto=entry, epoch=3))
    pause(lua, "*", "")
    assert b"OK" == Commit(start=entry, upto=entry, epoch=4).call(lua)[0]


def test_while_halted_no_timer_fires_and_no_call_is_taken(lua: Any) -> None:
    lua.zadd(key("timers"), {"a": 5})
    lua.hset(key("timer"), "a", "{}")
    lua.zadd(key("effects"), {"e": 5})
    lua.hset(key("effect"), "e", "{}")
    pause(lua, "*")
    before = dump(lua)

    assert [b"FIRED", 0, b""] == fcall(lua, "fire", FIRE, [NOW, 10])
    assert [b"TAKEN", b""] == fcall(lua, "take", TAKE, [NOW, 1000, 10])
    assert before == dump(lua)

    pause(lua, "*", "")
    assert 1 == fcall(lua, "fire", FIRE, [NOW, 10])[1]
    assert b"e" == fcall(lua, "take", TAKE, [NOW, 1000, 10])[2]


def test_a_pump_hears_of_epochs(lua: Any) -> None:
    pause(lua, "ship")
    beat = ["t:pumps", key("timers"), key("meta"), key("timers", 1), key("meta", 1)]

    epochs = fcall(lua, "beat", beat, ["p", NOW, 4000])[4]

    assert [b"1", b"0"] == epochs


# -- messages that are held back -------------------------------------------------------------------


def test_a_turn_of_another_epoch_is_fenced(lua: Any) -> None:
    assert b"OK" == Commit().call(lua)[0]
    pause(lua, "ship/ever")

    assert [b"FENCED", b"0-0", b"1"] == refused(lua, Commit())
    assert [b"FENCED", b"0-0", b"1"] == refused(lua, Commit(epoch=2))
    assert b"OK" == Commit(epoch=1).call(lua)[0]


def test_messages_wait_in_order_and_go_on_from_the_front(lua: Any) -> None:
    hold(lua, "1", "2")
    hold(lua, "3")
    assert [b"1", b"2", b"3"] == held(lua)
    assert [(b"ship/ever", float(NOW))] == lua.zrange(key("held"), 0, -1, withscores=True)
    assert b"3" == lua.hget(key("meta"), "held")

    assert b"OK" == Commit(released=[("ship", "ever", 2)]).call(lua)[0]

    assert [b"3"] == held(lua)
    assert b"1" == lua.hget(key("meta"), "held")
    assert 1 == epoch(lua)


def test_the_last_one_leaves_nothing_behind(lua: Any) -> None:
    hold(lua, "1", "2")

    Commit(released=[("ship", "ever", 2)]).call(lua)

    assert not lua.exists(key("held:ship:ever"), key("held"))
    assert b"0" == lua.hget(key("meta"), "held")


def test_one_turn_releases_and_holds_back(lua: Any) -> None:
    hold(lua, "1")

    Commit(released=[("ship", "ever", 1)], held=[("ship", "ever", "2")]).call(lua)

    assert [b"2"] == held(lua)
    assert [b"ship/ever"] == lua.zrange(key("held"), 0, -1)


def test_messages_go_on_once_whoever_computed_the_turn(lua: Any) -> None:
    """Nothing was taken from the inbox, so that the cursor alone would let a second one pass."""
    hold(lua, "1", "2", "3")
    turn = Commit(released=[("ship", "ever", 1)])
    assert b"OK" == turn.call(lua)[0]

    assert b"FENCED" == refused(lua, turn)[0]
    assert b"FENCED" == refused(lua, Commit(held=[("ship", "ever", "late")]))[0]


@pytest.mark.parametrize(
    "released",
    [
        [("ship", "ever", 3)], [("ship", "ever", 0)], [("ship", "other", 1)],
        [("ship", "ever", 1), ("ship", "ever", 1)], [("ship", "ever", "x")],
    ],
)  # fmt: skip
def test_what_is_not_there_cannot_go_on(lua: Any, released: list[tuple[str, str, Word]]) -> None:
    hold(lua, "1", "2")

    assert b"INVALID" == refused(lua, Commit(released=released))[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("held", "x"), ("held:ship:ever", "x"), ("meta", {"held": "x"}), ("meta", {"epoch": "01"})],
)
def test_keys_that_cannot_take_what_is_held_refuse_the_turn(
    lua: Any, name: str, value: Any
) -> None:
    if isinstance(value, dict):
        lua.hset(key(name), mapping=value)
    else:
        lua.set(key(name), value)
    stored = lua.hget(key("meta"), "epoch") if name == "meta" else None

    refusal = refused(lua, Commit(epoch=stored or 0, held=[("ship", "ever", "1")]))

    assert b"INVALID" == refusal[0]


def test_a_list_of_another_entity_or_partition_is_refused(lua: Any) -> None:
    wrong = [key(name) for name in ("held:ship:other", "inbox", "held:shipever")]
    for name in (*wrong, key("held:ship:ever", 1)):
        keys, words = Commit(held=[("ship", "ever", "1")]).words()
        keys[-1] = name
        assert b"INVALID" == fcall(lua, "commit", keys, words)[0]
    assert {} == dump(lua)


def test_what_is_held_back_counts_as_backlog(lua: Any) -> None:
    hold(lua, *(str(n) for n in range(9)))

    assert b"SENT" == send(lua, "c1")[0]
    assert [b"OVERLOADED", 10] == send(lua, "c2")
