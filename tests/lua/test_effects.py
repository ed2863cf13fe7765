"""take, renew, settle, resume_effect: each call to the outside world has one runner at a time."""

from collections.abc import Mapping
from typing import Any

import pytest
import redis.exceptions
from hypothesis import HealthCheck, given, settings

from tests.lua.test_commit_refused import MUTATIONS, NOT_A_COUNT, Mutation, mutate
from tests.support.forge import NAMESPACE, NOW, Commit, Word, dump, fcall, key
from wherry.store import calls, effects
from wherry.store.calls import Again, Back, Bury, Done, FunctionCall, How, Park, Settling
from wherry.store.effects import TakenCall
from wherry.store.keys import Keys

KEYS = Keys(NAMESPACE)
OWN = KEYS.partition(0)
LEASE = 15_000


def run(redis: Any, call: FunctionCall) -> list[Any]:
    answer: list[Any] = redis.execute_command(*call.words(NAMESPACE))
    return answer


def ask(redis: Any, *ids: str, now: int = NOW) -> None:
    answer = Commit(now=now, effects=[(id_, f"call {id_}") for id_ in ids]).call(redis)
    assert b"OK" == answer[0]


def take(redis: Any, now: int = NOW, limit: int = 10) -> list[TakenCall]:
    return effects.taken(run(redis, calls.take(OWN, now, LEASE, limit))).calls


def take_one(redis: Any, now: int = NOW) -> TakenCall:
    (call,) = take(redis, now)
    return call


def settle(
    redis: Any,
    how: How,
    *,
    id_: str = "a",
    n: int = 1,
    now: int = NOW,
    counters: Mapping[str, int] | None = None,
) -> bool | None:
    settling = Settling(0, id_, n, now, how, counters or {})
    return effects.settled(run(redis, calls.settle(KEYS, settling)))


def waiting(redis: Any) -> list[bytes]:
    return [fields[b"message"] for _, fields in redis.xrange(key("inbox"))]


def due(redis: Any) -> dict[bytes, float]:
    return dict(redis.zrange(key("effects"), 0, -1, withscores=True))


# -- take ----------------------------------------------------------------------------------------


def test_the_calls_that_are_due_are_taken_the_earliest_first(lua: Any) -> None:
    ask(lua, "late", now=NOW + 1)
    ask(lua, "b", now=NOW)
    ask(lua, "a", now=NOW - 5)

    taken = effects.taken(run(lua, calls.take(OWN, NOW, LEASE, 10)))

    assert [
        TakenCall("a", b"call a", 1, 1, lost=False, note=b""),
        TakenCall("b", b"call b", 1, 1, lost=False, note=b""),
    ] == taken.calls
    assert NOW + 1 == taken.next_due
    assert {b"late": NOW + 1, b"a": NOW + LEASE, b"b": NOW + LEASE} == due(lua)


def test_a_second_runner_gets_what_the_first_left(lua: Any) -> None:
    ask(lua, "a", "b", "c")

    assert ["a", "b"] == [call.id for call in take(lua, limit=2)]
    assert ["c"] == [call.id for call in take(lua, limit=2)]
    assert [] == take(lua, NOW + LEASE - 1)


def test_nothing_is_due_when_there_is_nothing(lua: Any) -> None:
    assert [b"TAKEN", b""] == run(lua, calls.take(OWN, NOW, LEASE, 10))


def test_the_end_of_the_earliest_lease_is_when_to_look_again(lua: Any) -> None:
    ask(lua, "a")

    taken = effects.taken(run(lua, calls.take(OWN, NOW, LEASE, 10)))

    assert NOW + LEASE == taken.next_due


def test_a_call_whose_runner_was_lost_is_taken_again_and_says_so(lua: Any) -> None:
    ask(lua, "a")
    take(lua)

    expected = TakenCall("a", b"call a", 2, 2, lost=True, note=b"")
    assert expected == take_one(lua, NOW + LEASE)


def test_what_earlier_attempts_left_survives_the_loss_of_a_runner(lua: Any) -> None:
    ask(lua, "a")
    take(lua)
    settle(lua, Again(NOW, b'{"error":"a b\nc"}'))
    take(lua)

    expected = TakenCall("a", b"call a", 3, 3, lost=True, note=b'{"error":"a b\nc"}')
    assert expected == take_one(lua, NOW + LEASE)


def test_a_call_without_its_envelope_is_dropped(lua: Any) -> None:
    ask(lua, "a", "b")
    take(lua)
    lua.hdel(key("effect"), "a")

    assert ["b"] == [call.id for call in take(lua, NOW + LEASE)]
    assert {b"b": NOW + 2 * LEASE} == due(lua)
    assert [b"b"] == lua.hkeys(key("attempt"))


def test_a_thousand_calls_are_taken_at_once(lua: Any) -> None:
    ask(lua, *(f"c{n}" for n in range(3000)))

    assert 3000 == len(take(lua, limit=5000))


def test_times_of_15_digits_stay_exact(lua: Any) -> None:
    far = 253_402_300_799_001
    ask(lua, "a", now=far)

    take(lua, far)

    assert {b"a": far + LEASE} == due(lua)


# -- renew ---------------------------------------------------------------------------------------


def renew(redis: Any, *held: tuple[str, int], until: int = NOW + 99_000) -> effects.Renewed:
    return effects.renewed(run(redis, calls.renew(OWN, until, held)))


def test_a_lease_is_renewed_for_the_runner_that_has_the_call(lua: Any) -> None:
    ask(lua, "a", "b")
    take(lua)

    assert effects.Renewed(2, []) == renew(lua, ("a", 1), ("b", 1))
    assert {b"a": NOW + 99_000, b"b": NOW + 99_000} == due(lua)
    assert [] == take(lua, NOW + LEASE)


def test_a_runner_learns_which_calls_it_has_lost(lua: Any) -> None:
    ask(lua, "a", "b", "c", "d")
    take(lua)
    settle(lua, Done(), id_="b")
    settle(lua, Again(NOW + 7), id_="c")
    settle(lua, Park(), id_="d")
    before = dump(lua)

    lost = ["a", "b", "c", "d", "nothing"]
    held = [("a", 2), ("b", 1), ("c", 1), ("d", 1), ("nothing", 0)]
    assert effects.Renewed(0, lost) == renew(lua, *held)
    assert before == dump(lua)


def test_a_lease_that_has_ended_is_renewed_while_nobody_else_has_the_call(lua: Any) -> None:
    ask(lua, "a")
    take(lua)

    assert 1 == renew(lua, ("a", 1), until=NOW + 3 * LEASE).count
    assert [] == take(lua, NOW + 2 * LEASE)


# -- settle --------------------------------------------------------------------------------------


def test_an_answer_goes_to_the_inbox_and_nothing_is_left_of_the_call(lua: Any) -> None:
    ask(lua, "a")
    take(lua)

    assert settle(lua, Done(b"answer")) is True
    assert [b"answer"] == waiting(lua)
    assert {key("inbox").encode(), b"t:wake"} == set(dump(lua))


def test_a_live_pump_needs_no_waking(lua: Any) -> None:
    lua.zadd("t:pumps", {"p": NOW + 5})
    ask(lua, "a")
    take(lua)

    assert settle(lua, Done(b"answer")) is False


def test_a_call_that_nobody_waits_for_ends_in_silence(lua: Any) -> None:
    ask(lua, "a")
    take(lua)

    assert settle(lua, Done()) is False
    assert {} == dump(lua)


def test_a_call_is_settled_once(lua: Any) -> None:
    ask(lua, "a")
    take(lua)
    settle(lua, Done(b"answer"), counters={"c": 1})
    before = dump(lua)

    assert settle(lua, Done(b"answer"), counters={"c": 1}) is None
    assert before == dump(lua)


@pytest.mark.parametrize("how", [Done(b"x"), Again(NOW), Back(NOW), Park(), Bury(["error", "x"])])
def test_a_runner_whose_call_another_has_cannot_settle_it(lua: Any, how: How) -> None:
    ask(lua, "a")
    take(lua)
    take(lua, NOW + LEASE)
    before = dump(lua)

    assert settle(lua, how, n=1) is None
    assert before == dump(lua)
    assert settle(lua, how, n=2) is not None


def test_a_call_is_tried_again_when_it_is_due(lua: Any) -> None:
    ask(lua, "a")
    take(lua)

    assert settle(lua, Again(NOW + 200, b'{"first_ms":1}')) is False
    assert [] == take(lua, NOW + 199)
    expected = TakenCall("a", b"call a", 2, 2, lost=False, note=b'{"first_ms":1}')
    assert expected == take_one(lua, NOW + 200)


def test_an_attempt_that_was_held_back_does_not_count(lua: Any) -> None:
    ask(lua, "a")
    take(lua)

    settle(lua, Back(NOW + 200, b"open"))

    assert TakenCall("a", b"call a", 2, 1, lost=False, note=b"open") == take_one(lua, NOW + 200)


@pytest.mark.parametrize("how", [Again(NOW), Back(NOW), Park()])
def test_a_repeat_does_not_hit_the_runner_that_has_the_call_next(lua: Any, how: How) -> None:
    """The reply was lost, so the first runner says it again."""
    ask(lua, "a")
    take(lua)
    settle(lua, how, counters={"c": 1})
    assert settle(lua, how, counters={"c": 1}) is None
    run(lua, calls.resume_effect(OWN, "a", NOW))
    take(lua)
    before = dump(lua)

    assert settle(lua, how, counters={"c": 1}) is None
    assert before == dump(lua)
    assert b"1" == lua.hget(key("counters"), "c")


def test_a_parked_call_waits_for_a_person(lua: Any) -> None:
    ask(lua, "a")
    take(lua)

    assert settle(lua, Park(b'{"unknown":true}'), now=NOW + 3) is False
    assert [(b"a", NOW + 3)] == lua.zrange(key("parked"), 0, -1, withscores=True)
    assert [] == take(lua, NOW + 10**9)


@pytest.mark.parametrize("how", [Done(b"answer"), Bury(["message", "{}"])])
def test_who_knows_the_outcome_settles_a_parked_call(lua: Any, how: How) -> None:
    ask(lua, "a")
    take(lua)
    settle(lua, Park())

    assert settle(lua, how) is not None
    assert not lua.exists(*(key(name) for name in ("effects", "effect", "attempt", "parked")))


@pytest.mark.parametrize("how", [Done(b"answer"), Bury(["message", "{}"])])
def test_who_knows_the_outcome_settles_a_call_that_waits(lua: Any, how: How) -> None:
    ask(lua, "a", "b")
    assert settle(lua, how, id_="b", n=0) is not None
    take(lua)
    settle(lua, Again(NOW + 200))

    assert settle(lua, how, n=1) is not None
    assert [] == take(lua, NOW + 200)


@pytest.mark.parametrize("how", [Again(NOW), Back(NOW), Park()])
def test_a_call_that_was_never_taken_cannot_be_given_back(lua: Any, how: How) -> None:
    ask(lua, "a")

    assert settle(lua, how, n=0) is None


def test_a_call_that_failed_for_good_is_a_dead_letter(lua: Any) -> None:
    ask(lua, "a")
    take(lua)

    assert settle(lua, Bury(["error", "boom", "message", "call a"])) is False
    letters = [fields for _, fields in lua.xrange(key("dead"))]
    assert [{b"error": b"boom", b"message": b"call a"}] == letters
    assert {key("dead").encode()} == set(dump(lua))


def test_a_settlement_counts(lua: Any) -> None:
    ask(lua, "a")
    take(lua)

    settle(lua, Done(), counters={"effect:gateway:Capture:done": 1, "effect_us:x": 1500})

    expected = {b"effect:gateway:Capture:done": b"1", b"effect_us:x": b"1500"}
    assert expected == lua.hgetall(key("counters"))


# -- resume --------------------------------------------------------------------------------------


def test_a_parked_call_is_resumed_and_keeps_what_is_known_of_it(lua: Any) -> None:
    ask(lua, "a")
    take(lua)
    settle(lua, Park(b"why"))
    with lua.pubsub(ignore_subscribe_messages=True) as listening:
        listening.subscribe("t:effects")
        listening.get_message(timeout=1)
        answer = run(lua, calls.resume_effect(OWN, "a", NOW + 9))
        heard = listening.get_message(ignore_subscribe_messages=True, timeout=1)

    assert 1 == effects.resumed(answer)
    assert heard is not None
    assert b"0" == heard["data"]
    assert TakenCall("a", b"call a", 2, 2, lost=False, note=b"why") == take_one(lua, NOW + 9)
    assert not lua.exists(key("parked"))


def test_a_call_that_waits_for_its_next_attempt_is_due_at_once(lua: Any) -> None:
    ask(lua, "a")
    take(lua)
    settle(lua, Again(NOW + 60_000, b"why"))

    assert 0 == effects.resumed(run(lua, calls.resume_effect(OWN, "a", NOW + 9)))
    assert TakenCall("a", b"call a", 2, 2, lost=False, note=b"why") == take_one(lua, NOW + 9)


def test_a_call_that_runs_or_is_not_there_is_not_resumed(lua: Any) -> None:
    ask(lua, "a")
    take(lua)
    lua.zadd(key("parked"), {"ghost": NOW})
    before = dump(lua)

    for id_ in ("a", "ghost", "nothing"):
        assert effects.resumed(run(lua, calls.resume_effect(OWN, id_, NOW))) is None
    assert before == dump(lua)


# -- what is refused -----------------------------------------------------------------------------

HOWS: list[How] = [Done(b"x"), Again(NOW, b"n"), Back(NOW), Park(b"n"), Bury(["error", "x"])]
CALLS: dict[str, FunctionCall] = {
    "take": calls.take(OWN, NOW, LEASE, 10),
    "renew": calls.renew(OWN, NOW, [("a", 1), ("b", 1)]),
    "resume_effect": calls.resume_effect(OWN, "p", NOW),
} | {
    f"settle {type(how).__name__}": calls.settle(KEYS, Settling(0, "a", 1, NOW, how, {"c": 1}))
    for how in HOWS
}
EVERY_CALL = pytest.mark.parametrize("name", CALLS)


def one_of_each(redis: Any) -> None:
    """A call that runs, one that waits, one that is parked."""
    ask(redis, "a", "b", "p")
    take(redis)
    settle(redis, Again(NOW), id_="b")
    settle(redis, Park(), id_="p")


def refused(redis: Any, verb: str, keys: list[str], args: list[Word]) -> None:
    before = dump(redis)
    assert b"INVALID" == fcall(redis, verb, keys, args)[0]
    assert before == dump(redis)


@EVERY_CALL
def test_each_call_is_good_before_it_is_broken(lua: Any, name: str) -> None:
    one_of_each(lua)

    assert run(lua, CALLS[name])[0] in {b"TAKEN", b"RENEWED", b"SETTLED", b"SENT"}


@EVERY_CALL
def test_a_key_of_the_wrong_type_is_invalid(lua: Any, name: str) -> None:
    call = CALLS[name]
    for wrong in call.keys:
        lua.flushdb()
        one_of_each(lua)
        lua.delete(wrong)
        lua.rpush(wrong, "in the way")
        refused(lua, call.verb, call.keys, [*call.args])


@EVERY_CALL
@pytest.mark.parametrize("other", ["{t:1}:effects", "{t:0}:feed", "elsewhere", "u:pumps", ""])
def test_a_key_has_the_name_of_its_role(lua: Any, name: str, other: str) -> None:
    one_of_each(lua)
    call = CALLS[name]
    for position in range(len(call.keys)):
        keys = [*call.keys]
        keys[position] = other
        refused(lua, call.verb, keys, [*call.args])


@EVERY_CALL
def test_every_key_and_argument_is_required(lua: Any, name: str) -> None:
    one_of_each(lua)
    call = CALLS[name]
    for count in range(len(call.keys)):
        refused(lua, call.verb, call.keys[:count], [*call.args])
    for count in range(len(call.args)):
        if call.verb != "renew" or count % 2 == 0:
            refused(lua, call.verb, call.keys, call.args[:count])


@EVERY_CALL
def test_a_number_is_a_count(lua: Any, name: str) -> None:
    one_of_each(lua)
    call = CALLS[name]
    for position, word in enumerate(call.args):
        for junk in NOT_A_COUNT if isinstance(word, int) else ():
            args = [*call.args]
            args[position] = junk
            refused(lua, call.verb, call.keys, args)


@pytest.mark.parametrize("how", ["", "dones", "DONE", "read"])
def test_an_unknown_way_to_settle_is_invalid(lua: Any, how: str) -> None:
    one_of_each(lua)
    call = CALLS["settle Done"]
    refused(lua, call.verb, call.keys, [*call.args[:2], how, *call.args[3:]])


@pytest.mark.parametrize("name", [name for name in CALLS if name.startswith("settle")])
def test_words_that_are_left_over_are_invalid(lua: Any, name: str) -> None:
    one_of_each(lua)
    refused(lua, "settle", CALLS[name].keys, [*CALLS[name].args, ""])


@pytest.mark.parametrize("fields", [[], ["error"], ["a", "b"] * 33])
def test_a_dead_letter_has_pairs_of_fields(lua: Any, fields: list[bytes | str]) -> None:
    one_of_each(lua)
    call = calls.settle(KEYS, Settling(0, "a", 1, NOW, Bury(fields)))
    refused(lua, call.verb, call.keys, [*call.args])


@pytest.mark.parametrize("stored", ["x", "1.5", "01", "9" * 19])
def test_a_counter_that_cannot_grow_keeps_the_call_as_it_is(lua: Any, stored: str) -> None:
    one_of_each(lua)
    lua.hset(key("counters"), "c", stored)
    call = CALLS["settle Done"]
    refused(lua, call.verb, call.keys, [*call.args])


@EVERY_CALL
def test_a_full_server_refuses_before_the_first_write(real_lua: Any, name: str) -> None:
    one_of_each(real_lua)
    before = dump(real_lua)
    try:
        real_lua.config_set("maxmemory", "1")
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            run(real_lua, CALLS[name])
    finally:
        real_lua.config_set("maxmemory", "0")

    assert before == dump(real_lua)


def test_a_damaged_attempt_is_a_first_one(lua: Any) -> None:
    ask(lua, "a")
    lua.hset(key("attempt"), "a", "x")

    assert TakenCall("a", b"call a", 1, 1, lost=False, note=b"") == take_one(lua)


@EVERY_CALL
@given(mutations=MUTATIONS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_call_is_carried_out_or_leaves_no_trace(
    lua: Any, name: str, mutations: list[Mutation]
) -> None:
    lua.flushdb()
    one_of_each(lua)
    keys, args = [*CALLS[name].keys], [*CALLS[name].args]
    mutate(keys, args, mutations)
    before = dump(lua)

    answer = fcall(lua, CALLS[name].verb, keys, args)

    assert answer[0] in {b"TAKEN", b"RENEWED", b"SETTLED", b"SENT", b"GONE", b"INVALID"}
    if answer[0] in {b"GONE", b"INVALID"}:
        assert before == dump(lua)
