"""commit, refused: for each reason, with nothing written."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import redis.exceptions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.forge import (
    FIXED,
    NOW,
    Commit,
    Forged,
    Word,
    dump,
    fcall,
    full_commit,
    key,
    load_library,
    put_into_inbox,
    send_words,
)

HOLD = ("berths", "hold", "a", NOW)
LIMIT = ("berths", "limit", "", 2)


def refused(redis: Any, commit: Commit) -> list[Any]:
    """Call it; whatever it answers, nothing may be written."""
    before = dump(redis)
    answer = commit.call(redis)
    assert before == dump(redis)
    return answer


def ship(**changes: Any) -> Commit:
    changes.setdefault("old", "new" if changes.get("expected") == 1 else "")
    return Commit(entities=[Forged(**changes)])


def built(redis: Any, *steps: tuple[Word, Word, Word, Word]) -> None:
    assert b"OK" == ship(statuses=("new",), new="new", steps=steps).call(redis)[0]


# -- the fence -----------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["0-1", "1-0", "", "x", "00-0"])
def test_another_cursor_is_fenced(lua: Any, start: str) -> None:
    assert [b"FENCED", b"0-0", b"0"] == refused(lua, Commit(start=start))


@pytest.mark.parametrize("code", ["", "older", "v22"])
def test_a_turn_of_other_code_than_the_deployed_is_refused(lua: Any, code: str) -> None:
    load_library(lua, "v2")

    assert [b"CODE", b"v2"] == refused(lua, replace(full_commit("0-0"), code=code))


def test_a_turn_of_the_deployed_code_is_stored(lua: Any) -> None:
    load_library(lua, "v2")

    assert b"OK" == Commit(code="v2").call(lua)[0]


def test_a_cursor_that_is_not_in_the_inbox_is_invalid(lua: Any) -> None:
    put_into_inbox(lua, "m")

    assert b"INVALID" == refused(lua, Commit(upto="5-0"))[0]


def test_a_cursor_never_goes_back(lua: Any) -> None:
    first, second = put_into_inbox(lua, "1", "2")
    Commit(upto=second).call(lua)

    assert b"INVALID" == refused(lua, Commit(start=second, upto=first))[0]


def test_a_cursor_behind_an_entry_that_came_back_is_invalid(lua: Any) -> None:
    """A stream that was deleted starts again: its ids may be lower than the cursor."""
    lua.hset(key("meta"), "cursor", "500-0")
    lua.xadd(key("inbox"), {"message": "m"}, id="400-0")

    assert b"INVALID" == refused(lua, Commit(start="500-0", upto="400-0"))[0]


def test_a_cursor_is_written_as_the_stream_writes_it(lua: Any) -> None:
    (entry,) = put_into_inbox(lua, "m")

    assert b"INVALID" == refused(lua, Commit(upto="0" + entry))[0]


# -- versions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("expected", [0, 2, 10**14])
def test_another_version_is_refused(lua: Any, expected: int) -> None:
    built(lua)

    assert [b"VERSION", b"ship/ever", b"1"] == refused(lua, ship(expected=expected))


def test_a_log_that_is_ahead_is_refused(lua: Any) -> None:
    built(lua)
    lua.xadd(key("ship:ever:log"), {"type": "x"}, id="7-0")

    assert b"VERSION" == refused(lua, ship(expected=1))[0]


def test_a_log_whose_events_were_deleted_still_tells_its_version(lua: Any) -> None:
    built(lua)
    lua.xdel(key("ship:ever:log"), "1-0")

    assert b"VERSION" == refused(lua, ship(expected=0, statuses=("new",)))[0]
    assert b"OK" == ship(expected=1).call(lua)[0]


def test_a_log_without_its_hash_and_a_hash_without_its_log_are_refused(lua: Any) -> None:
    built(lua)
    content = lua.hgetall(key("ship:ever"))
    lua.delete(key("ship:ever"))
    assert b"VERSION" == refused(lua, ship(expected=0))[0]

    lua.hset(key("ship:ever"), mapping=content)
    lua.delete(key("ship:ever:log"))
    assert b"VERSION" == refused(lua, ship(expected=1))[0]


def test_a_log_that_is_behind_is_refused(lua: Any) -> None:
    built(lua)
    for version in (1, 2):
        assert b"OK" == ship(expected=version, old="new").call(lua)[0]
    entries = lua.xrange(key("ship:ever:log"))
    lua.delete(key("ship:ever:log"))
    for id_, fields in entries[:2]:
        lua.xadd(key("ship:ever:log"), fields, id=id_)

    assert b"VERSION" == refused(lua, ship(expected=3, old="new"))[0]


@pytest.mark.parametrize("versions", [0, 3])
def test_a_log_whose_next_id_was_used_takes_the_others_back(lua: Any, versions: int) -> None:
    """Somebody appended to a log by hand, and deleted it again: only XADD can notice that."""
    built(lua)
    for version in range(versions):
        assert b"OK" == Commit(entities=[Forged(kind="note", expected=version)]).call(lua)[0]
    lua.xadd(key("ship:ever:log"), {"type": "x"}, id="2-0")
    lua.xdel(key("ship:ever:log"), "2-0")
    note = Forged(kind="note", expected=versions, events=[("type", "A"), ("type", "B")])
    tampered = Forged(expected=1, old="new")

    assert b"VERSION" == refused(lua, Commit(entities=[note, tampered]))[0]
    assert b"OK" == Commit(entities=[note]).call(lua)[0]


def test_a_log_set_ahead_on_a_real_server_is_refused(real_lua: Any) -> None:
    built(real_lua)
    real_lua.execute_command("XSETID", key("ship:ever:log"), "9-0")

    assert b"VERSION" == refused(real_lua, ship(expected=1))[0]


@pytest.mark.parametrize("stored", ["", "x", "1.5", "-1"])
def test_a_stored_version_that_is_none_is_refused(lua: Any, stored: str) -> None:
    built(lua)
    lua.hset(key("ship:ever"), "version", stored)

    assert b"VERSION" == refused(lua, ship(expected=1))[0]


# -- statuses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "old", "new"),
    [
        (("sailing",), "new", "sailing"),
        (("nowhere",), "", "nowhere"),
        (("",), "", ""),
        (("new", "docked"), "new", "docked"),
        (("new", "sailing", "new"), "sailing", "new"),
    ],
)
def test_a_forbidden_status_is_refused(
    lua: Any, statuses: Sequence[str], old: str, new: str
) -> None:
    answer = refused(lua, ship(statuses=statuses))

    if statuses == ("sailing",):
        old = ""
    assert [b"TRANSITION", b"ship/ever", old.encode(), new.encode()] == answer


def test_a_status_that_nobody_knows_leads_nowhere(lua: Any) -> None:
    built(lua)
    lua.hset(key("ship:ever"), "status", "forged")

    assert b"TRANSITION" == refused(lua, ship(expected=1, statuses=("sailing",)))[0]


def test_a_kind_without_lifecycle_has_no_status(lua: Any) -> None:
    assert b"TRANSITION" == refused(lua, ship(kind="note", statuses=("new",)))[0]


# -- pools ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "steps",
    [
        [("berths", "hold", "c", NOW)],  # full: the limit is 2, and 2 are taken
        [("berths", "hold", "a", NOW)],  # held already
        [("berths", "free", "b", ""), ("berths", "hold", "c", NOW), ("berths", "hold", "d", NOW)],
        [("berths", "limit", "", 1)],
        [("berths", "limit", "", 11)],
        [("berths", "limit", "", "-1")],
        [("berths", "limit", "", "x")],
        [("berths", "limit", "", "03")],
        [("berths", "keep", "c", "")],
        [("berths", "free", "c", "")],
        [("berths", "free", "a", ""), ("berths", "free", "a", "")],
        [("berths", "free", "a", ""), ("berths", "keep", "a", "")],
        [("berths", "limit", "", 3), ("berths", "hold", "c", "kept")],
        [("berths", "limit", "", 3), ("berths", "hold", "c", "")],
        [("berths", "limit", "", 3), ("berths", "hold", "c", NOW), ("berths", "hold", "c", NOW)],
        [("berths", "grab", "a", "")],
        [("moorings", "hold", "c", NOW)],
        [("cranes", "hold", "c", NOW)],  # no limit was ever set
    ],
)
def test_a_pool_refuses(lua: Any, steps: list[tuple[Word, Word, Word, Word]]) -> None:
    built(lua, LIMIT, HOLD, ("berths", "hold", "b", NOW))

    assert [b"POOL", b"ship/ever"] == refused(lua, ship(expected=1, steps=steps))[:2]


# -- what is not a commit ------------------------------------------------------------------------

NOT_A_COUNT: list[Word] = ["", "-1", "1.5", "1e3", "1e15", "x", "nan", "inf", "01", "1" * 16, "0x1"]


def _with(commit: Commit, place: str, junk: Word) -> Commit:
    setattr(commit, place, junk)
    return commit


@pytest.mark.parametrize("junk", NOT_A_COUNT)
@pytest.mark.parametrize("place", ["now", "ttl", "cap"])
def test_a_head_that_is_no_number_is_invalid(lua: Any, place: str, junk: Word) -> None:
    (entry,) = put_into_inbox(lua, "m")

    assert b"INVALID" == refused(lua, _with(full_commit(entry), place, junk))[0]


def test_a_result_without_a_life_is_invalid(lua: Any) -> None:
    assert b"INVALID" == refused(lua, Commit(ttl=0))[0]


@pytest.mark.parametrize("junk", [w for w in NOT_A_COUNT if w])
def test_a_timer_without_a_time_is_invalid(lua: Any, junk: Word) -> None:
    assert b"INVALID" == refused(lua, Commit(timers=[("a", junk, "{}")]))[0]


@pytest.mark.parametrize(
    "event", [(), ("type",), ("type", "x", "data"), ("type", "x") * 33, ("data", "{}", "type", "x")]
)
def test_an_event_with_odd_fields_is_invalid(lua: Any, event: Sequence[Word]) -> None:
    assert b"INVALID" == refused(lua, ship(statuses=("new",), events=[event]))[0]


@pytest.mark.parametrize("letter", [(), ("message",), ("a", "b") * 33])
def test_a_dead_letter_with_odd_fields_is_invalid(lua: Any, letter: Sequence[Word]) -> None:
    assert b"INVALID" == refused(lua, Commit(dead=[letter]))[0]


def test_an_entity_comes_once(lua: Any) -> None:
    twice = [Forged(statuses=("new",)), Forged(statuses=("new",))]

    assert b"INVALID" == refused(lua, Commit(entities=twice))[0]


def test_an_unknown_kind_is_invalid(lua: Any) -> None:
    assert b"INVALID" == refused(lua, ship(kind="balloon"))[0]


@pytest.mark.parametrize("cut", range(1, 45))
def test_arguments_that_end_too_early_are_invalid(lua: Any, cut: int) -> None:
    (entry,) = put_into_inbox(lua, "m")
    keys, args = full_commit(entry).words()
    before = dump(lua)

    assert b"INVALID" == fcall(lua, "commit", keys, args[:-cut])[0]
    assert before == dump(lua)


def test_arguments_that_are_left_over_are_invalid(lua: Any) -> None:
    keys, args = Commit().words()

    assert b"INVALID" == fcall(lua, "commit", keys, [*args, ""])[0]
    assert {} == dump(lua)


@pytest.mark.parametrize("place", [7, 17])
def test_a_count_that_promises_too_much_ends_at_once(lua: Any, place: int) -> None:
    """It may not loop as often as it says: nobody else could talk to the server meanwhile."""
    keys, args = Commit().words()
    if place == 17:
        keys, args = Commit(entities=[Forged()]).words()
    args[place] = "9" * 15

    assert b"INVALID" == fcall(lua, "commit", keys, args)[0]
    assert {} == dump(lua)


# -- effects, attention, counters ----------------------------------------------------------------


@pytest.mark.parametrize(
    "effects",
    [
        [("a", "{}"), ("b", "{}"), ("a", "{}")],  # twice in one turn
        [("new", "{}"), ("old", "{}")],  # made by an earlier one
        [("", "{}")],
        [("a", "")],
    ],
)
def test_an_effect_that_is_not_new_is_invalid(lua: Any, effects: list[tuple[Word, Word]]) -> None:
    lua.hset(key("effect"), "old", "{}")

    assert b"INVALID" == refused(lua, Commit(effects=effects))[0]


@pytest.mark.parametrize("junk", NOT_A_COUNT)
def test_a_counter_grows_by_whole_numbers(lua: Any, junk: Word) -> None:
    assert b"INVALID" == refused(lua, Commit(counters=[("a", 1), ("b", junk)]))[0]


@pytest.mark.parametrize("stored", ["", "x", "1.5", "01", "+1", " 1", "-0", "1e3", "9" * 19])
def test_a_counter_that_cannot_grow_is_invalid(lua: Any, stored: str) -> None:
    lua.hset(key("counters"), "b", stored)

    assert b"INVALID" == refused(lua, Commit(counters=[("a", 1), ("b", 1)]))[0]


def test_a_counter_comes_once(lua: Any) -> None:
    assert b"INVALID" == refused(lua, Commit(counters=[("a", 1), ("a", 1)]))[0]


@pytest.mark.parametrize(
    ("name", "commit"),
    [
        ("effects", Commit(effects=[("a", "{}")])),
        ("effect", Commit(effects=[("a", "{}")])),
        ("attention", Commit(attention=[("ship/a", "{}")])),
        ("attention", Commit(attention=[("ship/a", "")])),
        ("counters", Commit(counters=[("a", 1)])),
    ],
)
def test_what_is_written_to_has_the_right_type(lua: Any, name: str, commit: Commit) -> None:
    lua.rpush(key(name), "in the way")

    assert b"INVALID" == refused(lua, commit)[0]
    assert b"OK" == Commit().call(lua)[0]


# -- keys ----------------------------------------------------------------------------------------


KEYS, _ = full_commit("1-0").words()


@pytest.mark.parametrize("position", [p for p, name in enumerate(KEYS) if ":result:" not in name])
def test_a_key_of_the_wrong_type_is_invalid(lua: Any, position: int) -> None:
    (entry,) = put_into_inbox(lua, "m")
    keys, args = full_commit(entry).words()
    lua.delete(keys[position])
    if ":held:" in keys[position]:
        lua.set(keys[position], "in the way")
    else:
        lua.rpush(keys[position], "in the way")
    before = dump(lua)

    assert fcall(lua, "commit", keys, args)[0] in {b"INVALID", b"VERSION"}
    assert before == dump(lua)


@pytest.mark.parametrize("position", range(len(KEYS)))
@pytest.mark.parametrize(
    "name", ["{t:0}:ship:other", "{t:0}:ship:other:log", "{t:1}:meta", "elsewhere", ""]
)
def test_a_key_has_the_name_of_its_role(lua: Any, position: int, name: str) -> None:
    (entry,) = put_into_inbox(lua, "m")
    keys, args = full_commit(entry).words()
    keys[position] = name
    before = dump(lua)

    assert fcall(lua, "commit", keys, args)[0] == b"INVALID"
    assert before == dump(lua)


def test_an_entity_is_of_the_kind_that_its_key_says(lua: Any) -> None:
    """Otherwise the rules of one kind could be used for another."""
    keys, args = ship(kind="note").words()
    keys[10:13] = [key("ship:ever"), key("ship:ever:log"), key("index:ship")]

    assert b"INVALID" == fcall(lua, "commit", keys, args)[0]
    assert {} == dump(lua)


@pytest.mark.parametrize(("old", "new"), [("sailing", "new"), ("", "sailing"), ("", "")])
def test_the_indexes_are_those_of_the_status(lua: Any, old: str, new: str) -> None:
    assert b"INVALID" == refused(lua, ship(statuses=("new",), old=old, new=new))[0]


def test_one_key_cannot_have_two_types(lua: Any) -> None:
    keys, args = ship(kind="note").words()
    args[7] = args[6]  # the log is the hash

    assert b"INVALID" == fcall(lua, "commit", keys, args)[0]
    assert {} == dump(lua)


@pytest.mark.parametrize("role", [2, 3, 4])
def test_a_log_cannot_also_be_another_stream(lua: Any, role: int) -> None:
    keys, args = ship(kind="note", events=[("type", "A"), ("type", "B")]).words()
    args[7] = role

    assert b"INVALID" == fcall(lua, "commit", keys, args)[0]
    assert {} == dump(lua)


def test_two_entities_cannot_share_a_log(lua: Any) -> None:
    commit = Commit(entities=[Forged(kind="note"), Forged(kind="note", key="other")])
    keys, args = commit.words()
    log = args[7]
    second = args.index("other") - 6
    args[second + 1] = log

    assert b"INVALID" == fcall(lua, "commit", keys, args)[0]
    assert {} == dump(lua)


@pytest.mark.parametrize("count", range(len(FIXED)))
def test_fixed_keys_are_required(lua: Any, count: int) -> None:
    keys, args = Commit().words()

    assert b"INVALID" == fcall(lua, "commit", keys[:count], args)[0]
    assert {} == dump(lua)


# -- memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["send", "commit", "fire"])
def test_a_full_server_refuses_before_the_first_write(real_lua: Any, verb: str) -> None:
    (entry,) = put_into_inbox(real_lua, "m")
    real_lua.zadd(key("timers"), {"a": 5})
    real_lua.hset(key("timer"), "a", "{}")
    before = dump(real_lua)
    calls: dict[str, Callable[[], tuple[list[str], list[Word]]]] = {
        "send": send_words,
        "commit": full_commit(entry).words,
        "fire": lambda: ([key(n) for n in ("timers", "timer", "inbox", "meta")], [NOW, 10]),
    }
    try:
        real_lua.config_set("maxmemory", "1")
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            fcall(real_lua, verb, *calls[verb]())
    finally:
        real_lua.config_set("maxmemory", "0")

    assert before == dump(real_lua)


# -- anything ------------------------------------------------------------------------------------

JUNK: list[Word] = [
    "", "0", "1", "2", "7", "9", "-1", "1.5", "nan", "1e15", "01", "9" * 15, "9" * 20, "type",
    "new", "ship", "note", "berths", "hold", "x" * 70_000, b"\x00\xff", "0-0", "999999999999999-0",
]  # fmt: skip
Mutation = tuple[str, bool, int, int, Word]
MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["drop", "double", "swap", "junk"]),
        st.booleans(),
        st.integers(0, 200),
        st.integers(0, 200),
        st.sampled_from(JUNK),
    ),
    min_size=1,
    max_size=4,
)


def mutate(keys: list[str], args: list[Word], mutations: list[Mutation]) -> None:
    for how, of_keys, at, other, junk in mutations:
        words: list[Any] = keys if of_keys else args
        if not words:
            continue
        at, other = at % len(words), other % len(words)
        match how:
            case "drop":
                del words[at]
            case "double":
                words.insert(other, words[at])
            case "swap":
                words[at], words[other] = words[other], words[at]
            case _:
                words[at] = f"{{t:0}}:{junk!r}"[:90] if of_keys else junk


@given(mutations=MUTATIONS)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_commit_is_stored_or_leaves_no_trace(lua: Any, mutations: list[Mutation]) -> None:
    lua.flushdb()
    (entry,) = put_into_inbox(lua, "m")
    keys, args = full_commit(entry).words()
    mutate(keys, args, mutations)
    before = dump(lua)

    answer = fcall(lua, "commit", keys, args)

    assert answer[0] in {b"OK", b"FENCED", b"VERSION", b"TRANSITION", b"POOL", b"INVALID"}
    if answer[0] != b"OK":
        assert before == dump(lua)


@given(mutations=MUTATIONS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_send_is_stored_or_leaves_no_trace(lua: Any, mutations: list[Mutation]) -> None:
    lua.flushdb()
    keys, args = send_words(idem="k")
    mutate(keys, args, mutations)
    before = dump(lua)

    answer = fcall(lua, "send", keys, args)

    assert answer[0] in {b"SENT", b"INVALID", b"OVERLOADED"}
    if answer[0] != b"SENT":
        assert before == dump(lua)


def test_when_a_later_log_refuses_the_earlier_ones_are_as_they_were(real_lua: Any) -> None:
    built(real_lua)
    gate = Forged(key="gate", statuses=("new",), new="new")
    assert b"OK" == Commit(entities=[gate]).call(real_lua)[0]
    real_lua.execute_command("XSETID", key("ship:gate:log"), "9-0")
    later = Forged(key="gate", expected=1, old="new", new="new")
    earlier = Forged(expected=1, old="new", new="new")
    fresh = Forged(key="late", statuses=("new",), new="new")

    answer = refused(real_lua, Commit(entities=[earlier, fresh, later]))

    assert [b"VERSION", b"ship/gate", b"1"] == answer
    assert b"OK" == ship(expected=1).call(real_lua)[0]
