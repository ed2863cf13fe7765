"""commit: everything a turn changed is stored, and only once."""

from typing import Any

from tests.support.forge import (
    NOW,
    Commit,
    Forged,
    dump,
    full_commit,
    key,
    last_id,
    put_into_inbox,
)


def test_events_are_a_gapless_log_with_their_version_as_id(lua: Any) -> None:
    (entry,) = put_into_inbox(lua, "m")

    assert [b"OK"] == full_commit(entry).call(lua)[:1]
    again = Commit(
        start=entry, upto=entry, entities=[Forged(expected=2, statuses=("docked",), old="sailing")]
    )
    assert [b"OK"] == again.call(lua)[:1]

    log = lua.xrange(key("ship:ever:log"))
    assert [b"1-0", b"2-0", b"3-0"] == [id_ for id_, _ in log]
    assert {b"type": b"Sailed", b"data": b'{"to":"x"}'} == log[1][1]


def test_the_hash_has_version_status_time_state_and_snapshot(lua: Any) -> None:
    (entry,) = put_into_inbox(lua, "m")
    full_commit(entry).call(lua)

    assert {
        b"version": b"2",
        b"status": b"sailing",
        b"at": str(NOW).encode(),
        b"state": b'{"tons":1}',
        b"snapshot": b"2",
        b"pool:berths:limit": b"3",
        b"pool:berths:used": b"1",
        b"pool:berths:hold:a": b"kept",
    } == lua.hgetall(key("ship:ever"))
    note = lua.hgetall(key("note:n1"))
    assert (b"1", b"") == (note[b"version"], note[b"status"])


def test_an_empty_state_leaves_the_stored_one(lua: Any) -> None:
    Commit(entities=[Forged(statuses=("new",))]).call(lua)
    Commit(entities=[Forged(expected=1, state="", old="new")]).call(lua)

    stored = lua.hgetall(key("ship:ever"))
    assert (b"2", b"1", b'{"tons":1}') == (
        stored[b"version"],
        stored[b"snapshot"],
        stored[b"state"],
    )


def test_the_indexes_follow_the_status(lua: Any) -> None:
    Commit(entities=[Forged(statuses=("new",), new="new")]).call(lua)
    later = Forged(expected=1, statuses=("sailing",), old="new")
    Commit(now=NOW + 7, entities=[later]).call(lua)
    same = Forged(expected=2, old="sailing")
    Commit(now=NOW + 9, entities=[same]).call(lua)

    assert [(b"ever", NOW + 9)] == lua.zrange(key("index:ship"), 0, -1, withscores=True)
    assert [] == lua.zrange(key("index:ship:new"), 0, -1)
    assert [(b"ever", NOW + 9)] == lua.zrange(key("index:ship:sailing"), 0, -1, withscores=True)


def test_the_feed_has_a_line_for_each_event_and_is_capped(lua: Any) -> None:
    for version in range(400):
        Commit(cap=100, entities=[Forged(kind="note", expected=version)]).call(lua)

    lines = lua.xrange(key("feed"))
    assert {b"entity": b"note/ever", b"version": b"400", b"type": b"Built"} == lines[-1][1]
    assert len(lines) < 400


def test_results_end_by_themselves_and_are_published_to_who_waits(lua: Any) -> None:
    (entry,) = put_into_inbox(lua, "m")
    with lua.pubsub(ignore_subscribe_messages=True) as listening:
        listening.subscribe("t:replies:p")
        listening.get_message(timeout=1)
        full_commit(entry).call(lua)
        heard = listening.get_message(ignore_subscribe_messages=True, timeout=1)

    assert heard is not None
    assert b'{"status":"done"}' == heard["data"]
    assert b'{"status":"dead"}' == lua.get(key("result:c2"))
    assert 0 < lua.pttl(key("result:c1")) <= 60_000


def test_timers_are_set_replaced_and_stopped(lua: Any) -> None:
    Commit(timers=[("a", NOW + 5, "1"), ("b", NOW + 9, "2"), ("gone", NOW, "3")]).call(lua)
    answer = Commit(timers=[("a", NOW + 7, "4"), ("gone", "", "")]).call(lua)

    assert NOW + 7 == float(answer[1])
    expected = [(b"a", NOW + 7), (b"b", NOW + 9)]
    assert expected == lua.zrange(key("timers"), 0, -1, withscores=True)
    assert {b"a": b"4", b"b": b"2"} == lua.hgetall(key("timer"))


def test_no_timer_is_due_when_there_is_none(lua: Any) -> None:
    assert [b"OK", b"", b"", b""] == Commit().call(lua)


def test_the_cursor_moves_and_the_inbox_holds_only_what_waits(lua: Any) -> None:
    entries = put_into_inbox(lua, "1", "2", "3")

    Commit(upto=entries[1]).call(lua)

    assert entries[1].encode() == lua.hget(key("meta"), "cursor")
    assert [b"3"] == [fields[b"message"] for _, fields in lua.xrange(key("inbox"))]


def test_the_last_message_to_the_own_inbox_is_the_barrier(lua: Any) -> None:
    (entry,) = put_into_inbox(lua, "m")

    answer = Commit(upto=entry, messages=[(0, "a"), (0, "b"), (1, "c")]).call(lua)

    assert last_id(lua, key("inbox")) == answer[2] == lua.hget(key("meta"), "barrier")
    assert [b"a", b"b"] == [fields[b"message"] for _, fields in lua.xrange(key("inbox"))]
    assert [b"c"] == [fields[b"message"] for _, fields in lua.xrange(key("inbox", 1))]


def test_a_turn_without_own_messages_keeps_the_barrier(lua: Any) -> None:
    (entry,) = put_into_inbox(lua, "m")
    barrier = Commit(upto=entry, messages=[(0, "a")]).call(lua)[2]

    assert b"" == Commit(start=entry, upto=barrier.decode(), messages=[(1, "c")]).call(lua)[2]
    assert barrier == lua.hget(key("meta"), "barrier")


def test_dead_letters_are_kept_with_their_fields(lua: Any) -> None:
    (entry,) = put_into_inbox(lua, "m")
    full_commit(entry).call(lua)

    assert [{b"message": b"{}", b"error": b"boom"}] == [f for _, f in lua.xrange(key("dead"))]


def test_effects_may_be_taken_at_once_and_runners_hear_of_them(lua: Any) -> None:
    effects = [("1-0.1", "call one"), ("1-0.2", "call two")]
    with lua.pubsub(ignore_subscribe_messages=True) as listening:
        listening.subscribe("t:effects")
        listening.get_message(timeout=1)
        answer = Commit(effects=effects).call(lua)
        heard = listening.get_message(ignore_subscribe_messages=True, timeout=1)

    assert [b"OK", b"", b"", 1] == answer
    assert heard is not None
    assert b"0" == heard["data"]
    due = [(b"1-0.1", NOW), (b"1-0.2", NOW)]
    assert due == lua.zrange(key("effects"), 0, -1, withscores=True)
    assert {b"1-0.1": b"call one", b"1-0.2": b"call two"} == lua.hgetall(key("effect"))


def test_nobody_may_hear_of_an_effect(lua: Any) -> None:
    assert [b"OK", b"", b"", 0] == Commit(effects=[("1-0.1", "call")]).call(lua)


def test_thousands_of_effects_and_counters_fit_into_a_commit(lua: Any) -> None:
    effects = [(f"1-0.{n}", f"call {n}") for n in range(9000)]
    counters = [(f"c{n}", n) for n in range(9000)]

    answer = Commit(effects=effects, counters=counters).call(lua)

    assert [b"OK", b"", b"", 0] == answer
    assert 9000 == lua.zcard(key("effects")) == lua.hlen(key("effect"))
    assert b"8999" == lua.hget(key("counters"), "c8999")


def test_attention_is_asked_for_and_withdrawn(lua: Any) -> None:
    Commit(attention=[("ship/a", "one"), ("ship/b", "two")]).call(lua)
    Commit(attention=[("ship/a", ""), ("ship/b", "three"), ("ship/c", "")]).call(lua)

    assert {b"ship/b": b"three"} == lua.hgetall(key("attention"))


def test_counters_add_up(lua: Any) -> None:
    Commit(counters=[("handled:ship:accepted", 2), ("seconds_us:ship", 10**15 - 1)]).call(lua)
    Commit(counters=[("handled:ship:accepted", 0), ("seconds_us:ship", 10**15 - 1)]).call(lua)

    expected = {b"handled:ship:accepted": b"2", b"seconds_us:ship": b"1999999999999998"}
    assert expected == lua.hgetall(key("counters"))


def test_a_counter_may_be_as_large_as_18_digits(lua: Any) -> None:
    lua.hset(key("counters"), "a", "9" * 18)

    assert b"OK" == Commit(counters=[("a", "9" * 15)]).call(lua)[0]
    assert str(10**18 - 1 + 10**15 - 1).encode() == lua.hget(key("counters"), "a")


def test_a_repeated_commit_is_fenced_and_changes_nothing(lua: Any) -> None:
    (entry,) = put_into_inbox(lua, "m")
    turn = full_commit(entry)
    assert b"OK" == turn.call(lua)[0]
    before = dump(lua)

    assert [b"FENCED", entry.encode(), b"0"] == turn.call(lua)
    assert before == dump(lua)


def test_versions_beyond_32_and_near_15_digits_stay_exact(lua: Any) -> None:
    for version in (2**31 + 5, 2**40, 99_999_999_999_999, 123_456_789_012_345):
        lua.delete(key("ship:ever:log"), key("ship:ever"))
        lua.xadd(key("ship:ever:log"), {"type": "x"}, id=f"{version}-0")
        lua.hset(key("ship:ever"), mapping={"version": version, "status": "new"})

        answer = Commit(entities=[Forged(expected=version, old="new")]).call(lua)

        assert b"OK" == answer[0]
        assert f"{version + 1}-0".encode() == last_id(lua, key("ship:ever:log"))
        assert str(version + 1).encode() == lua.hget(key("ship:ever"), "version")
        assert str(version + 1).encode() == lua.xrevrange(key("feed"), count=1)[0][1][b"version"]


def test_a_time_of_15_digits_stays_exact(lua: Any) -> None:
    far = 253_402_300_799_999  # the end of the year 9999, in ms

    answer = Commit(now=far, timers=[("a", far, "1")], entities=[Forged(kind="note")]).call(lua)

    assert far == int(float(answer[1]))
    assert far == lua.zscore(key("timers"), "a")
    assert str(far).encode() == lua.hget(key("note:ever"), "at")
